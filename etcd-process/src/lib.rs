//! Private etcd servers for tests, benchmarks and demonstrations.
//!
//! [`EtcdBinary::find_all`] finds what is installed; [`EtcdProcess`] runs one of them on free loopback ports with a data
//! directory of its own, and takes both away when it is dropped.
//!
//! ```no_run
//! use etcd_process::{EtcdBinary, EtcdProcess};
//!
//! # fn main() -> std::io::Result<()> {
//! for binary in EtcdBinary::find_all() {
//!     let mut etcd = EtcdProcess::start(&binary)?;
//!     println!("etcd {} serves {}", binary.version, etcd.endpoint());
//!     etcd.kill()?;
//!     etcd.restart()?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`EtcdCluster`] runs several as one cluster, and a [`FaultProxy`] stands before any of them and spoils its connections:
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use etcd_process::{EtcdBinary, EtcdCluster, Mode};
//!
//! # fn main() -> std::io::Result<()> {
//! for binary in EtcdBinary::find_all() {
//!     let mut cluster = EtcdCluster::builder(&binary).with_proxies().start()?;
//!     let leader = cluster.wait_for_leader(Duration::from_secs(10))?;
//!     println!("member {leader} of {:?} leads", cluster.endpoints());
//!     cluster.proxy(leader).set(Mode::Drop);
//!     cluster.member_mut(leader).kill()?;
//!     cluster.wait_for_leader(Duration::from_secs(10))?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`EtcdBuilder::with_tls`] lets one speak TLS, with certificates of a [`TestAuthority`];
//! [`EtcdProcess::enable_auth`] and [`EtcdProcess::add_user`] give it users.
//!
//! Where an etcd is looked for: if the environment variable `ETCD_BIN` is set, exactly there (several paths are separated
//! as in `PATH`); else on `PATH` and in `target/tools/etcd-*/bin` of the workspace.
//!
//! # When the test process dies
//!
//! A server must not outlive the process that wanted it, even one that is killed. The operating system's own ways need
//! `unsafe`, or fire when the *thread* that started the child ends. So on Unix every server has a watchdog: a shell that
//! reads from a pipe which nobody writes to. When this process ends, in whatever way, the pipe closes, and the shell
//! kills the server and removes its files.

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
