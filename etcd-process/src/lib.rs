#![doc = include_str!("../README.md")]
#![expect(
    clippy::disallowed_methods,
    reason = "it waits for real processes, in real time, without a runtime"
)]

mod binary;
mod builder;
mod certificates;
mod cluster;
mod etcdctl;
mod http;
mod member;
mod ports;
mod process;
mod proxy;
mod running;
mod snapshot;
mod tls;
mod watchdog;

pub use binary::EtcdBinary;
pub use builder::EtcdBuilder;
pub use certificates::{CertificateFiles, TestAuthority, TestCertificate};
pub use cluster::{EtcdCluster, EtcdClusterBuilder};
pub use process::EtcdProcess;
pub use proxy::{Direction, FaultProxy, Mode, SynBlackHole};
pub use tls::EtcdTls;
