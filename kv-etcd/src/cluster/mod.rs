//! A cluster as one store: whichever of its members serves.
//!
//! A [`Call`] makes attempts on the [`members`](members::Members) that are well, by their [`breaker`]s, until one has
//! answered or its time is over; side by side if they may be [repeated](hedge), else one after the other. The [`keeper`] works in the background: it tries the members that are not well, and
//! asks the cluster for its [members](sync). What all answers have in common the [`history`] remembers.
//!
//! Why it is done in this way is told in decision 10.

mod backoff;
mod breaker;
mod call;
mod connect;
mod health;
mod hedge;
mod history;
mod keeper;
mod member;
mod members;
mod metronome;
mod notes;
mod patience;
pub(crate) mod probe;
mod rate;
mod sync;

use std::sync::Arc;
use std::time::Duration;

use storage_core::kv::{BackendError, Key};
use tokio::sync::Notify;
use tokio::task::JoinSet;

pub(crate) use call::Call;
pub(crate) use hedge::Attempt;
pub(crate) use history::Witness;

use crate::link::Connector;
use crate::{EtcdConfig, EtcdHealth};
use history::History;
use member::{Member, Origin};
use members::Members;
use metronome::Metronome;
use patience::Patience;
use rate::Rate;

/// A connection to a cluster. Clones share it; the last one ends what it does in the background.
#[derive(Clone)]
pub(crate) struct Cluster {
    shared: Arc<Shared>,
    #[expect(dead_code, reason = "dropping it ends the tasks")]
    keeper: Arc<JoinSet<()>>,
}

impl Cluster {
    /// Connects, once any of the endpoints has answered.
    pub(crate) async fn connect(config: &EtcdConfig) -> Result<Self, BackendError> {
        let shared = Arc::new(Shared::new(config)?);
        let work = shared.connect().await?;
        let mut keeper = JoinSet::new();
        keeper.spawn(keeper::keep(Arc::clone(&shared), config.auto_sync_interval(), work));
        let beating = Arc::clone(&shared);
        keeper.spawn(async move { beating.metronome.beat(beating.silence / 4).await });
        Ok(Self { shared, keeper: Arc::new(keeper) })
    }

    /// Asks how every member is.
    pub(crate) async fn health(&self) -> EtcdHealth {
        self.shared.health().await
    }

    /// The same, without connecting first.
    pub(crate) async fn check(config: &EtcdConfig) -> Result<EtcdHealth, BackendError> {
        Ok(Shared::new(config)?.health().await)
    }

    /// Begins a call: its time runs from now on.
    pub(crate) fn call(&self, name: &'static str) -> Call<'_> {
        Call::new(&self.shared, name)
    }
}

/// What calls and the keeper have in common.
struct Shared {
    connector: Arc<Connector>,
    endpoints: Vec<String>,
    members: Members,
    history: Arc<History>,
    patience: Patience,
    rate: Option<Rate>,
    probe_key: Key,
    dial_timeout: Duration,
    request_timeout: Duration,
    /// After how long without an answer a member counts as silent.
    silence: Duration,
    metronome: Metronome,
    /// Told when a breaker opens.
    news: Arc<Notify>,
}

impl Shared {
    fn new(config: &EtcdConfig) -> Result<Self, BackendError> {
        let connector = Arc::new(Connector::new(config)?);
        let news = Arc::new(Notify::new());
        let member =
            |endpoint: &String| Member::new(endpoint, Origin::Configured, connector.clone(), news.clone());
        let members = config.endpoints().iter().map(|endpoint| Arc::new(member(endpoint))).collect();
        Ok(Self {
            members: Members::new(members),
            endpoints: config.endpoints().to_vec(),
            history: Arc::new(History::new(config.old_clusters())),
            patience: Patience::new(config.request_timeout()),
            rate: Rate::new(config.max_requests_per_second(), config.request_burst()),
            probe_key: config.probe_key(),
            dial_timeout: config.dial_timeout(),
            request_timeout: config.request_timeout(),
            silence: hedge::SILENCE.min(config.request_timeout() / 2),
            metronome: Metronome::default(),
            connector,
            news,
        })
    }

    fn member(&self, endpoint: &str, origin: Origin) -> Member {
        Member::new(endpoint, origin, Arc::clone(&self.connector), Arc::clone(&self.news))
    }
}
