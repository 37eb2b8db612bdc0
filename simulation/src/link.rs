use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use storage_conformance::decorate::Faulty;
use storage_core::kv::{
    BackendError, BackendErrorKind, KeyRange, KvBackend, Lease, LeaseId, Limits, Op, RangePage, RangeRequest,
    Revision, Txn, TxnReply, WatchStream,
};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use crate::chance::Chance;
use crate::judge::Judge;
use crate::plan::{Mishap, Plan};

tokio::task_local! {
    /// How many answers to transactions the call that a task makes has lost.
    pub(crate) static LOST_ANSWERS: Cell<u32>;
}

/// A client's way to the store: calls and answers take time, get lost, and wait while the client is stopped.
pub(crate) struct Link {
    store: Faulty<Arc<dyn KvBackend>>,
    judge: Arc<Judge>,
    process: Arc<Process>,
    ways: Arc<Ways>,
    patience: Duration,
    stops: AtomicU64,
}

/// The client's process. (Tokio's own channel for a state that changes wakes who waits in an order of chance.)
#[derive(Debug)]
struct Process {
    state: Mutex<State>,
    has_changed: Notify,
}

/// What has become of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Runs,
    Stopped,
    /// Its calls are not sent any more, and nobody hears what comes.
    Crashed,
}

/// How long calls and answers are on their way.
#[derive(Debug)]
struct Ways {
    chance: Mutex<Chance>,
    usual: Duration,
    /// Of a thousand ways, how many take longer.
    detours: u64,
    longest: Duration,
    /// All are short from now on.
    are_calm: AtomicBool,
}

impl Link {
    pub(crate) fn new(store: Arc<dyn KvBackend>, judge: Judge, mut chance: Chance, plan: &Plan) -> Arc<Self> {
        let ways = Ways {
            usual: Duration::from_millis(chance.pick(plan.ways)),
            chance: Mutex::new(chance),
            detours: plan.detours,
            longest: plan.longest_way,
            are_calm: AtomicBool::new(false),
        };
        let link = Self {
            store: Faulty::new(store),
            judge: Arc::new(judge),
            process: Arc::new(Process { state: Mutex::new(State::Runs), has_changed: Notify::new() }),
            ways: Arc::new(ways),
            patience: plan.call_timeout,
            stops: AtomicU64::new(0),
        };
        link.inject();
        Arc::new(link)
    }

    pub(crate) fn runs(&self) -> bool {
        self.process.state() == State::Runs
    }

    /// How often the client was stopped until now, if it runs now.
    pub(crate) fn stops(&self) -> Option<u64> {
        self.runs().then(|| self.stops.load(Ordering::Relaxed))
    }

    pub(crate) fn has_crashed(&self) -> bool {
        self.process.state() == State::Crashed
    }

    pub(crate) fn stop(&self) {
        self.stops.fetch_add(1, Ordering::Relaxed);
        self.process.become_if_alive(State::Stopped);
    }

    pub(crate) fn go_on(&self) {
        self.process.become_if_alive(State::Runs);
    }

    pub(crate) fn crash(&self) {
        self.process.become_if_alive(State::Crashed);
    }

    /// Lets this happen to every call from now on, and ends the watches.
    pub(crate) fn cut(&self, mishap: Mishap) {
        self.judge.set_outage(Some(mishap));
        self.store.drop_watches();
    }

    /// Ends what [`cut`](Self::cut) has begun; calls that hang go through.
    pub(crate) fn mend(&self) {
        self.judge.set_outage(None);
        self.store.heal();
        self.inject();
    }

    /// Lets nothing go wrong any more.
    pub(crate) fn calm(&self) {
        self.judge.end();
        self.ways.are_calm.store(true, Ordering::Relaxed);
        self.mend();
        self.go_on();
    }

    pub(crate) fn drop_watches(&self) {
        self.store.drop_watches();
    }

    pub(crate) fn compact_watches(&self) {
        self.store.compact_watches();
    }

    fn inject(&self) {
        let judge = Arc::clone(&self.judge);
        self.store.inject(move |call| judge.judge(call));
    }

    /// A call on its way there and back.
    async fn pass<T>(&self, call: impl Future<Output = Result<T, BackendError>>) -> Result<T, BackendError> {
        let travel = async {
            self.process.runs().await;
            self.ways.travel().await;
            let answer = call.await;
            self.ways.travel().await;
            self.process.runs().await;
            answer
        };
        let late = |_| {
            Err(BackendError::new(BackendErrorKind::Timeout, format!("no answer in {:?}", self.patience)))
        };
        // Its time runs in the network, which nobody stops; but a crashed client hears of nothing.
        let answer = timeout(self.patience, travel).await.unwrap_or_else(late);
        self.process.runs().await;
        answer
    }
}

impl Process {
    fn state(&self) -> State {
        *self.state.lock().expect("nobody panics under it")
    }

    fn become_if_alive(&self, next: State) {
        let mut state = self.state.lock().expect("nobody panics under it");
        if *state != State::Crashed {
            *state = next;
            self.has_changed.notify_waiters();
        }
    }

    /// Waits until the process runs: for ever if it has crashed.
    async fn runs(&self) {
        loop {
            let changed = self.has_changed.notified();
            if self.state() == State::Runs {
                return;
            }
            changed.await;
        }
    }
}

impl Ways {
    const CALM: Duration = Duration::from_millis(5);

    async fn travel(&self) {
        let time = {
            let mut chance = self.chance.lock().expect("nobody panics under it");
            let longest = if self.are_calm.load(Ordering::Relaxed) {
                Self::CALM
            } else if chance.happens(self.detours) {
                self.longest
            } else {
                self.usual
            };
            chance.millis(0, u64::try_from(longest.as_millis()).expect("some seconds"))
        };
        if !time.is_zero() {
            sleep(time).await;
        }
    }
}

#[async_trait]
impl KvBackend for Link {
    fn limits(&self) -> Limits {
        self.store.limits()
    }

    async fn range(&self, request: RangeRequest) -> Result<RangePage, BackendError> {
        self.pass(self.store.range(request)).await
    }

    async fn txn(&self, txn: Txn) -> Result<TxnReply, BackendError> {
        let writes = txn.success.iter().any(|op| !matches!(op, Op::Get(_)));
        let answer = self.pass(self.store.txn(txn)).await;
        if writes && answer.as_ref().is_err_and(BackendError::is_maybe_applied) {
            // What a storage does in tasks of its own is no call's.
            let _ = LOST_ANSWERS.try_with(|lost| lost.set(lost.get() + 1));
        }
        answer
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease, BackendError> {
        self.pass(self.store.grant(ttl)).await
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<Duration, BackendError> {
        self.pass(self.store.keep_alive(lease)).await
    }

    async fn time_to_live(&self, lease: LeaseId) -> Result<Duration, BackendError> {
        self.pass(self.store.time_to_live(lease)).await
    }

    async fn revoke(&self, lease: LeaseId) -> Result<(), BackendError> {
        self.pass(self.store.revoke(lease)).await
    }

    async fn watch(&self, range: KeyRange, after: Revision) -> Result<WatchStream, BackendError> {
        let changes = self.pass(self.store.watch(range, after)).await?;
        let (ways, process) = (Arc::clone(&self.ways), Arc::clone(&self.process));
        let delivered = changes.then(move |item| {
            let (ways, process) = (Arc::clone(&ways), Arc::clone(&process));
            async move {
                ways.travel().await;
                process.runs().await;
                item
            }
        });
        Ok(delivered.boxed())
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("process", &self.process).finish_non_exhaustive()
    }
}
