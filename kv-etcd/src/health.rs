//! How a cluster is, as far as its users may know.

use std::time::{Duration, SystemTime};

use storage_core::kv::{BackendError, Revision};

use crate::EtcdConfig;
use crate::cluster::Cluster;

/// How a cluster is: what each of its members says when it is asked.
///
/// Made by [`EtcdBackend::health`](crate::EtcdBackend::health), or without a connection by [`check`](Self::check). A user
/// with rights on the prefix alone may ask for all of it, but in etcd 3.5.28 for the alarms and for members
/// that are not in the settings.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EtcdHealth {
    /// The endpoints of the settings in their order, then the others that the cluster has named.
    pub endpoints: Vec<EndpointHealth>,
    /// Members that the cluster names, of which no endpoint is known that could be asked: those that have not started,
    /// or that are not reached in encrypted form where all others are. Their names, or else their ids.
    pub unknown_members: Vec<String>,
    /// The alarms that are raised. While one is, writes are refused.
    pub alarms: Alarms,
    /// The newest revision that any endpoint has shown.
    pub newest_revision: Option<Revision>,
    /// Until when our own certificate is valid, if we have one.
    pub client_certificate_end: Option<SystemTime>,
}

/// How a member is, as it is reached at one endpoint.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EndpointHealth {
    /// `http://host:port` or `https://host:port`.
    pub endpoint: String,
    /// What it can do for us.
    pub service: Service,
    /// How long a linearizable read took, on a connection that was there already.
    pub latency: Option<Duration>,
    /// Why it does not serve, on one line.
    pub problem: Option<String>,
    /// The newest revision that it has shown.
    pub revision: Option<Revision>,
    /// How far its data is behind the newest that any endpoint has shown. 0 if it serves: then it is as far as the
    /// cluster was when it was asked.
    pub behind: u64,
    /// The term of raft that it knows.
    pub raft_term: Option<u64>,
    /// What it calls itself.
    pub member_id: Option<u64>,
    /// The cluster that it belongs to.
    pub cluster_id: Option<u64>,
    /// Until when its certificate is valid.
    pub certificate_end: Option<SystemTime>,
    /// Whether the backend did not send calls to it when it was asked. Always false for [`EtcdHealth::check`].
    pub is_avoided: bool,
}

/// What a member can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Service {
    /// It answers linearizable reads, so it knows a leader that a majority follows.
    Full,
    /// It answers from its own copy only, which may be old: it has no leader, or is cut off from it.
    CopyOnly,
    /// It is not reached, refuses us, or is of another cluster.
    None,
}

/// The alarms of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Alarms {
    /// These are raised; often none.
    Known(Vec<Alarm>),
    /// Our user may not ask: where there are users, etcd 3.5.28 answers only those with the role `root`.
    NotPermitted,
    /// Nobody has answered.
    Unknown,
}

/// An alarm that is raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Alarm {
    /// What is wrong.
    pub kind: AlarmKind,
    /// With which member.
    pub member_id: u64,
}

/// What an alarm is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AlarmKind {
    /// The database is full, and remains so until it was compacted and defragmented and the alarm was disarmed.
    NoSpace,
    /// The data of the members differs.
    Corrupt,
    /// One that this library does not know.
    Other,
}

impl EtcdHealth {
    /// Asks every endpoint of these settings, and every member that the cluster names, at once. It takes no longer than
    /// the dial timeout, and changes nothing in the store.
    ///
    /// Dropping the future is safe.
    ///
    /// # Errors
    ///
    /// `InvalidRequest`, at once, when a file of the TLS settings is missing or is not what it should be, or when there
    /// are TLS settings and no `https` endpoint: then nobody can be asked.
    pub async fn check(config: &EtcdConfig) -> Result<Self, BackendError> {
        Cluster::check(config).await
    }

    /// Whether the store serves: some member answers linearizable reads. Then writes find a leader too, though it may
    /// refuse them while there is an [alarm](Self::alarms).
    pub fn is_serving(&self) -> bool {
        self.endpoints.iter().any(|endpoint| endpoint.service == Service::Full)
    }
}
