#![doc = include_str!("../README.md")]

mod backend;
mod bootstrap;
mod bounds;
mod cluster;
mod config;
mod deadline;
mod error;
#[cfg(test)]
mod fuzz;
mod health;
mod lease;
mod link;
mod observe;
mod paging;
mod range;
mod txn;
mod watch;

pub use backend::EtcdBackend;
pub use bootstrap::{BootstrapError, load_caddyfile};
pub use config::{
    CaddyfileLoading, ConfigError, ConfigProblem, ConfigSetting, EtcdConfig, EtcdConfigBuilder, OldClusters,
    Secret, ServerVerification, TlsConfig,
};
pub use health::{Alarm, AlarmKind, Alarms, EndpointHealth, EtcdHealth, Service};
