//! Whatever concurrent clients do, and whatever gets lost on the way, what they are told is what was done.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use kv_memory::{MemoryBackend, MemoryOptions};
use storage_conformance::decorate::{Call, Fault, Faulty};
use storage_conformance::history::{
    Load, Log, Operation, Outcome, Plan, Recorder, Violation, Work, check_work,
};
use storage_core::kv::{KvBackend, Revision};
use storage_core::{Storage, StorageOptions};

const CLIENTS: usize = 6;
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

fn store() -> MemoryBackend {
    MemoryBackend::with_options(MemoryOptions::default().with_history(NonZeroU64::new(1_000_000).unwrap()))
}

async fn open<B: KvBackend>(backend: B) -> Storage<B> {
    open_with(backend, Duration::from_secs(30)).await
}

async fn open_with<B: KvBackend>(backend: B, request_timeout: Duration) -> Storage<B> {
    let options = StorageOptions::new().with_lock_timeout(LOCK_TIMEOUT).with_request_timeout(request_timeout);
    Storage::open(backend, options).await.unwrap()
}

/// What came of a plan.
struct Done {
    history: Vec<Operation>,
    violations: Vec<Violation>,
}

impl Done {
    /// Lets clients follow the plan, and looks at what came of it with the eyes of an observer.
    async fn of<B: KvBackend>(trees: &[Storage<B>], observer: &MemoryBackend, plan: &Plan) -> Self {
        let recorder = Recorder::new();
        Load::start(trees, plan, &recorder).done().await;
        let history = recorder.history();
        let log = Log::read(observer, trees[0].prefix(), Revision::ZERO).await.unwrap();
        let violations = check_work(&history, &log);
        Self { history, violations }
    }

    #[track_caller]
    fn is_right(&self, what: &str) {
        assert!(self.violations.is_empty(), "{what}: {}", self.violations[0]);
    }

    fn count(&self, is_counted: impl Fn(&Operation) -> bool) -> usize {
        self.history.iter().filter(|operation| is_counted(operation)).count()
    }
}

fn each_work() -> [Work; 5] {
    Work::MIXED.map(|(work, _)| work)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clients_in_parallel_are_told_what_was_done() {
    for work in each_work() {
        let backend = store();
        let trees = [(); CLIENTS].map(|()| open(backend.clone()));
        let trees = futures::future::join_all(trees).await;
        let done = Done::of(&trees, &backend, &Plan::of(work, 1, 300)).await;
        done.is_right(&format!("{work:?}"));
        assert_eq!(done.count(|operation| operation.outcome.is_error()), 0, "{work:?}");
        println!("{work:?}: {} calls", done.history.len());
    }
}

/// Some calls fail, some lose their answers, some come late: so many of a thousand.
fn now_and_then(
    seed: u64,
    of_a_thousand: u64,
) -> impl Fn(&Call<'_>) -> Option<Fault> + Send + Sync + 'static {
    let state = AtomicU64::new(seed);
    move |call| {
        // SplitMix64.
        let mut drawn = state.fetch_add(0x9e37_79b9_7f4a_7c15, SeqCst);
        drawn = (drawn ^ (drawn >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        drawn = (drawn ^ (drawn >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        drawn ^= drawn >> 31;
        let kinds = [
            Fault::Refuse,
            Fault::LoseAnswer,
            Fault::LoseAnswer,
            Fault::Late(Duration::from_millis(drawn % 5_000)),
            Fault::Slow(Duration::from_millis(drawn % 2_000)),
        ];
        let is_faulty = drawn % 1_000 < of_a_thousand && !matches!(call, Call::Watch(..));
        is_faulty.then(|| kinds[usize::try_from(drawn / 1_000 % 5).unwrap()])
    }
}

/// Trees of clients whose calls fail now and then.
async fn faulty_trees(
    backend: &MemoryBackend,
    seed: u64,
    of_a_thousand: u64,
) -> Vec<Storage<Arc<Faulty<MemoryBackend>>>> {
    let mut trees = Vec::new();
    for client in 0..CLIENTS as u64 {
        let faulty = Arc::new(Faulty::new(backend.clone()));
        // Some have no time to find out what has become of a write.
        let request_timeout = Duration::from_secs(if client % 2 == 0 { 1 } else { 30 });
        let tree = open_with(Arc::clone(&faulty), request_timeout).await;
        faulty.inject(now_and_then(seed * 100 + client, of_a_thousand));
        trees.push(tree);
    }
    trees
}

#[tokio::test(start_paused = true)]
async fn clients_whose_answers_get_lost_are_told_what_was_done() {
    let (mut calls, mut errors, mut open) = (0, 0, 0);
    for seed in 0..20 {
        for work in each_work() {
            let backend = store();
            let trees = faulty_trees(&backend, seed, 150).await;
            let done = Done::of(&trees, &backend, &Plan::of(work, seed, 25)).await;
            done.is_right(&format!("{work:?}, seed {seed}"));
            calls += done.history.len();
            errors += done.count(|operation| operation.outcome.is_error());
            open += done.count(Operation::is_open_write);
        }
    }
    println!("{calls} calls, {errors} errors, {open} writes with an open outcome");
    assert!(errors > 100 && open > 20, "{errors} errors and {open} open of {calls} calls: nothing was shown");
}

#[tokio::test(start_paused = true)]
async fn clients_that_die_in_the_middle_of_a_call_leave_nothing_torn() {
    let mut pending = 0;
    for seed in 0..30 {
        let backend = store();
        let trees = faulty_trees(&backend, seed, 300).await;
        let recorder = Recorder::new();
        let load = Load::start(&trees, &Plan { steps: None, ..Plan::mixed(seed, 0) }, &recorder);
        tokio::time::sleep(Duration::from_millis(3_000 + 10 * seed)).await;
        drop(load);
        drop(trees);
        // Whoever comes later finds a tree that works; what is late has come by then.
        let survivor = open(backend.clone()).await;
        tokio::time::sleep(Duration::from_secs(30)).await;
        Load::start(std::slice::from_ref(&survivor), &Plan::mixed(seed + 1_000, 200), &recorder).done().await;
        let history = recorder.history();
        pending += history.iter().filter(|operation| operation.outcome == Outcome::Pending).count();
        let log = Log::read(&backend, survivor.prefix(), Revision::ZERO).await.unwrap();
        let violations = check_work(&history, &log);
        assert!(violations.is_empty(), "seed {seed}: {}", violations[0]);
    }
    println!("{pending} calls without an answer");
    assert!(pending > 50, "{pending}");
}
