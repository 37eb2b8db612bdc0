//! A run: a cluster, clients at work, and a fault in the middle.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context, Result};
use etcd_process::{EtcdBinary, EtcdCluster};
use kv_etcd::{EtcdBackend, EtcdConfig, EtcdConfigBuilder};
use storage_conformance::history::{Call, Load, Log, Operation, Plan, Recorder, Violation, check_work};
use storage_core::kv::Revision;
use tokio::time::{Instant, sleep};

use crate::report::{Report, Seconds};
use crate::tree::{PREFIX, newest_revision, open};
use crate::witness::Witness;

/// How long and with how many a scenario runs.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The etcd to run.
    pub binary: EtcdBinary,
    /// Where all randomness comes from.
    pub seed: u64,
    /// Whether it shows just that it works, or takes its time.
    pub length: Length,
}

/// How long a scenario takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// Some seconds.
    Quick,
    /// As long as the fault catalogue asks.
    Full,
}

impl Setting {
    pub(crate) fn pick<T>(&self, quick: T, full: T) -> T {
        if self.length == Length::Quick { quick } else { full }
    }

    pub(crate) fn report(&self, scenario: &'static str, what: &'static str) -> Report {
        let etcd = self.binary.version.clone();
        Report { scenario, what, etcd, seed: self.seed, figures: Vec::new() }
    }

    /// Three members with the election timeout of a production cluster.
    pub(crate) fn cluster(&self, proxies: bool) -> Result<EtcdCluster> {
        let mut builder = EtcdCluster::builder(&self.binary)
            .with_flag("--heartbeat-interval=100")
            .with_flag(format!("--election-timeout={}", ELECTION_TIMEOUT.as_millis()));
        if proxies {
            builder = builder.with_proxies();
        }
        builder.start().context("the cluster")
    }
}

/// A member without a leader waits up to twice as long before it wants to be one.
pub(crate) const ELECTION_TIMEOUT: Duration = Duration::from_secs(1);

/// How long calls may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// How long a client thinks between two steps.
const PAUSE: Duration = Duration::from_millis(2);

/// By how much a call may miss its deadline.
pub(crate) const GRACE: Duration = Duration::from_millis(250);

pub(crate) fn config(endpoints: impl IntoIterator<Item = String>) -> EtcdConfigBuilder {
    EtcdConfig::builder(endpoints)
        .with_prefix(PREFIX)
        .with_dial_timeout(Duration::from_secs(2))
        .with_request_timeout(DEADLINE)
        .with_lock_timeout(Duration::from_secs(10))
}

/// What a run has shown.
pub(crate) struct Run {
    /// What clients did, and were told.
    pub(crate) history: Vec<Operation>,
    pub(crate) violations: Vec<Violation>,
    /// How many of the locks that were held all the time were lost.
    pub(crate) locks_lost: usize,
    /// How many transactions somebody has not seen who was watching all the time.
    pub(crate) missed: usize,
    /// From when on the fault was there, and until when.
    pub(crate) fault: (Instant, Instant),
    deadline: Duration,
}

/// How long a run goes on without the fault.
pub(crate) struct Around {
    pub(crate) before: Duration,
    pub(crate) after: Duration,
    /// It goes on until so many calls have ended.
    pub(crate) calls: usize,
}

/// How clients connect.
pub(crate) struct Configs {
    /// One half of the clients.
    pub(crate) some: EtcdConfig,
    /// The other half.
    pub(crate) others: EtcdConfig,
    /// Who only looks, behind every fault.
    pub(crate) observer: EtcdConfig,
}

impl Configs {
    /// All clients are configured so, and the observer without what is before the members.
    pub(crate) fn alike(config: EtcdConfig, cluster: &EtcdCluster) -> Result<Self> {
        let direct: Vec<_> = (0..cluster.len()).map(|index| cluster.member(index).endpoint()).collect();
        Ok(Self { others: config.clone(), observer: self::config(direct).build()?, some: config })
    }
}

/// Lets clients work on a cluster while something happens to it.
pub(crate) async fn under_load<'c>(
    setting: &Setting,
    configs: Configs,
    around: Around,
    cluster: &'c mut EtcdCluster,
    fault: impl AsyncFnOnce(&'c mut EtcdCluster) -> Result<()>,
) -> Result<Run> {
    const CLIENTS: usize = 8;
    let since = begin(&configs.some).await?;
    let mut trees = Vec::new();
    for client in 0..CLIENTS {
        trees.push(open(if client % 2 == 1 { &configs.others } else { &configs.some }).await?);
    }
    let recorder = Recorder::new();
    let witness = Witness::start(&trees, &recorder).await?;
    let plan = Plan { steps: None, pause: PAUSE, ..Plan::mixed(setting.seed, 0) };
    let load = Load::start(&trees, &plan, &recorder);
    sleep(around.before).await;
    let fault_began = Instant::now();
    fault(cluster).await.context("making the fault")?;
    let fault_ended = Instant::now();
    sleep(around.after).await;
    let patience = Instant::now() + Duration::from_secs(120);
    while recorder.ended() < around.calls && Instant::now() < patience {
        sleep(Duration::from_millis(50)).await;
    }
    load.stop().await;
    let (locks_lost, watched) = witness.stop().await?;
    let observer = EtcdBackend::connect(&configs.observer).await?;
    let log = Log::read(&observer, trees[0].prefix(), since).await?;
    let mut history = recorder.history();
    let violations = check_work(&history, &log);
    history.retain(|operation| operation.client < CLIENTS);
    let missed = log.revisions().filter(|revision| !watched.contains(&revision.0)).count();
    let deadline = configs.some.request_timeout();
    let fault = (fault_began, fault_ended);
    Ok(Run { history, violations, locks_lost, missed, fault, deadline })
}

/// Gives the tree its format, so that the first calls are like all others; answers the revision.
async fn begin(config: &EtcdConfig) -> Result<Revision> {
    let tree = open(config).await?;
    tree.store("begin", "").await?;
    newest_revision(&tree).await
}

impl Run {
    /// The figures that every run has.
    pub(crate) fn report(&self, report: &mut Report) {
        let (began, ended) = self.fault;
        let is_before = |operation: &&Operation| returned(operation).is_some_and(|returned| returned < began);
        let errors: Vec<_> = self.history.iter().filter(|operation| operation.outcome.is_error()).collect();
        let before = self.history.iter().filter(is_before).count();
        let first = self.history.iter().map(|operation| operation.invoked.at).min().unwrap_or(began);
        let rate = before as u128 * 1000 / (began - first).as_millis().max(1);
        report.valid_if("calls per second before the fault ≥ 100", rate, rate >= 100);
        let overlaps = |operation: &&Operation| !is_before(operation) && operation.invoked.at <= ended;
        let overlapping = self.history.iter().filter(overlaps).count();
        report.valid_if("calls that overlap the fault ≥ 1", overlapping, overlapping > 0);
        let last = self.history.iter().filter(|operation| operation.is_acknowledged_write());
        let last = last.map(|operation| operation.invoked.at).max().is_some_and(|last| last > ended);
        report.valid_if("a write succeeds after the fault", last, last);
        report.show("calls", self.history.len());
        report.show("errors that callers saw", errors.len());
        // Who waits for a lock waits for who has it.
        let is_timed = |operation: &&Operation| !matches!(operation.call, Call::Lock { .. });
        let longest = self.history.iter().filter(is_timed).map(took).max().unwrap_or_default();
        report.at_most("longest call", longest, self.deadline + GRACE);
        report.show("longest gap between acknowledged writes", Seconds(self.longest_gap()));
        report.none("lost, doubled, torn, stale or wrongly told", self.violations.len());
        report.none("changes that a watch has missed", self.missed);
        for violation in self.violations.iter().take(5) {
            report.show(format!("violation: {violation}"), "");
        }
        let mut kinds = String::new();
        for operation in errors.iter().take(3) {
            let _ = write!(kinds, "{:?} after {:?}; ", operation.outcome, took(operation));
        }
        if !kinds.is_empty() {
            report.show(format!("first errors: {kinds}"), "");
        }
    }

    pub(crate) fn errors(&self) -> usize {
        self.history.iter().filter(|operation| operation.outcome.is_error()).count()
    }

    /// The longest time from just before the fault on in which no write was acknowledged.
    pub(crate) fn longest_gap(&self) -> Duration {
        let mut ends: Vec<_> = self.acknowledgements().collect();
        ends.sort_unstable();
        let gaps = ends.windows(2).filter(|pair| pair[1] >= self.fault.0);
        gaps.map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }

    /// How long after a moment the first write was acknowledged that began after it.
    pub(crate) fn first_write_after(&self, moment: Instant) -> Option<Duration> {
        self.acknowledgements().filter(|ended| *ended > moment).map(|ended| ended - moment).min()
    }

    /// When writes were acknowledged.
    fn acknowledgements(&self) -> impl Iterator<Item = Instant> {
        let writes = self.history.iter().filter(|operation| operation.is_acknowledged_write());
        writes.filter_map(returned)
    }
}

fn returned(operation: &Operation) -> Option<Instant> {
    operation.returned.map(|returned| returned.at)
}

fn took(operation: &Operation) -> Duration {
    returned(operation).map_or(Duration::ZERO, |returned| returned - operation.invoked.at)
}
