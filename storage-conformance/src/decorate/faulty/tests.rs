use futures::future::join_all;
use storage_core::kv::{Key, TxnOutcome, WatchBatch};
use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::fakes::Outage;

const HOUR: Duration = Duration::from_secs(3600);
/// A second short of it.
const ALMOST: Duration = Duration::from_secs(3599);
const METHODS: [&str; 7] = ["range", "txn", "grant", "keep_alive", "time_to_live", "revoke", "watch"];

/// Accepts everything and remembers which methods were called.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<&'static str>>>);

impl Recorder {
    fn record(&self, method: &'static str) {
        self.0.lock().unwrap().push(method);
    }

    /// What was called since this was last asked.
    fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

#[async_trait]
impl KvBackend for Recorder {
    fn limits(&self) -> Limits {
        Limits::ETCD_DEFAULTS.with_max_txn_ops(7)
    }

    async fn range(&self, _request: RangeRequest) -> Result<RangePage, BackendError> {
        self.record("range");
        Ok(RangePage { revision: Revision(1), entries: Vec::new(), next: None })
    }

    async fn txn(&self, _txn: Txn) -> Result<TxnReply, BackendError> {
        self.record("txn");
        Ok(TxnReply { revision: Revision(1), outcome: TxnOutcome::Matched(Vec::new()) })
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease, BackendError> {
        self.record("grant");
        let granted = self.0.lock().unwrap().iter().filter(|method| **method == "grant").count();
        Ok(Lease { id: LeaseId::new(4 + i64::try_from(granted).unwrap()).unwrap(), ttl })
    }

    async fn keep_alive(&self, _lease: LeaseId) -> Result<Duration, BackendError> {
        self.record("keep_alive");
        Ok(HOUR)
    }

    async fn time_to_live(&self, _lease: LeaseId) -> Result<Duration, BackendError> {
        self.record("time_to_live");
        Ok(HOUR)
    }

    /// Knows the first three leases that it has granted.
    async fn revoke(&self, lease: LeaseId) -> Result<(), BackendError> {
        self.record("revoke");
        match lease.get() {
            5..8 => Ok(()),
            _ => Err(BackendError::new(BackendErrorKind::LeaseNotFound, "")),
        }
    }

    /// Delivers two batches and waits; after revision 100 only an error, behind which it goes on although it should not.
    async fn watch(&self, _range: KeyRange, after: Revision) -> Result<WatchStream, BackendError> {
        self.record("watch");
        let items = if after < Revision(100) {
            vec![Ok(batch(after.0 + 1)), Ok(batch(after.0 + 2))]
        } else {
            vec![Err(BackendError::new(BackendErrorKind::Internal, "its own"))]
        };
        Ok(stream::iter(items).chain(stream::pending()).boxed())
    }
}

fn batch(revision: u64) -> WatchBatch {
    WatchBatch { revision: Revision(revision), events: Vec::new() }
}

fn lease() -> LeaseId {
    LeaseId::new(5).unwrap()
}

fn range() -> KeyRange {
    KeyRange::single(Key::new("k"))
}

fn faulty() -> (Faulty<Recorder>, Recorder) {
    let recorder = Recorder::default();
    (Faulty::new(recorder.clone()), recorder)
}

/// A call of each method, in the order of [`METHODS`].
fn every_call(backend: &impl KvBackend) -> Vec<BoxFuture<'_, Result<(), BackendError>>> {
    vec![
        backend.range(RangeRequest::new(range())).map(|page| page.map(drop)).boxed(),
        backend.txn(Txn::new()).map(|reply| reply.map(drop)).boxed(),
        backend.grant(HOUR).map(|lease| lease.map(drop)).boxed(),
        backend.keep_alive(lease()).map(|ttl| ttl.map(drop)).boxed(),
        backend.time_to_live(lease()).map(|left| left.map(drop)).boxed(),
        backend.revoke(lease()).boxed(),
        backend.watch(range(), Revision(3)).map(|changes| changes.map(drop)).boxed(),
    ]
}

async fn errors(backend: &impl KvBackend) -> Vec<BackendError> {
    join_all(every_call(backend)).await.into_iter().map(Result::unwrap_err).collect()
}

async fn all_pass(backend: &impl KvBackend) {
    assert!(join_all(every_call(backend)).await.iter().all(Result::is_ok));
}

fn assert_timeouts(errors: &[BackendError]) {
    assert_eq!(errors.len(), METHODS.len());
    for error in errors {
        assert_eq!(error.kind(), BackendErrorKind::Timeout, "{error:?}");
        assert!(error.is_retryable() && error.is_maybe_applied(), "{error:?}");
    }
}

#[tokio::test]
async fn without_a_rule_every_call_goes_through() {
    let (faulty, recorder) = faulty();
    all_pass(&faulty).await;
    assert_eq!(recorder.take(), METHODS);
    assert_eq!(faulty.limits(), recorder.limits());
}

#[tokio::test]
async fn a_rule_is_shown_every_call_and_may_let_it_through() {
    let (faulty, recorder) = faulty();
    let shown = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&shown);
    faulty.inject(move |call| {
        seen.lock().unwrap().push(format!("{call:?}"));
        None
    });
    all_pass(&faulty).await;
    assert_eq!(recorder.take(), METHODS);
    let (request, txn, range) = (RangeRequest::new(range()), Txn::new(), range());
    let calls = [
        Call::Range(&request),
        Call::Txn(&txn),
        Call::Grant(HOUR),
        Call::KeepAlive(lease()),
        Call::TimeToLive(lease()),
        Call::Revoke(lease()),
        Call::Watch(&range, Revision(3)),
    ];
    assert_eq!(*shown.lock().unwrap(), calls.map(|call| format!("{call:?}")));
}

#[tokio::test]
async fn a_rule_picks_its_calls_until_it_is_replaced() {
    let (faulty, recorder) = faulty();
    faulty.inject(|call| matches!(call, Call::Txn(_)).then_some(Fault::Refuse));
    faulty.txn(Txn::new()).await.unwrap_err();
    faulty.grant(HOUR).await.unwrap();
    faulty.inject(|call| matches!(call, Call::Grant(_)).then_some(Fault::Refuse));
    faulty.txn(Txn::new()).await.unwrap();
    faulty.grant(HOUR).await.unwrap_err();
    assert_eq!(recorder.take(), ["grant", "txn"]);
}

#[tokio::test]
async fn what_is_refused_is_not_applied_and_may_be_retried() {
    let (faulty, recorder) = faulty();
    faulty.inject(|_| Some(Fault::Refuse));
    for error in errors(&faulty).await {
        assert_eq!(error.kind(), BackendErrorKind::Unavailable, "{error:?}");
        assert!(error.is_retryable() && !error.is_maybe_applied(), "{error:?}");
    }
    assert_eq!(recorder.take(), [""; 0]);
    faulty.heal();
    all_pass(&faulty).await;
}

#[tokio::test]
async fn what_loses_its_answer_is_applied() {
    let (faulty, recorder) = faulty();
    faulty.inject(|_| Some(Fault::LoseAnswer));
    assert_timeouts(&errors(&faulty).await);
    assert_eq!(recorder.take(), METHODS);
}

#[tokio::test]
async fn an_error_of_the_backend_is_lost_as_well() {
    let faulty = Faulty::new(Outage);
    faulty.inject(|_| Some(Fault::LoseAnswer));
    assert_timeouts(&errors(&faulty).await);
}

#[tokio::test(start_paused = true)]
async fn what_is_late_fails_at_once_and_is_applied_after_the_delay() {
    let (faulty, recorder) = faulty();
    faulty.inject(|_| Some(Fault::Late(HOUR)));
    let made = Instant::now();
    assert_timeouts(&errors(&faulty).await);
    assert_eq!(made.elapsed(), Duration::ZERO);
    faulty.heal();
    // Not even when nobody waits for the backend any more.
    drop(faulty);
    sleep(ALMOST).await;
    assert_eq!(recorder.take(), [""; 0]);
    sleep(Duration::from_secs(2)).await;
    let mut applied = recorder.take();
    applied.sort_by_key(|method| METHODS.iter().position(|other| other == method));
    assert_eq!(applied, METHODS);
}

#[tokio::test(start_paused = true)]
async fn what_is_slow_is_answered_after_the_delay_and_carried_out_though_nobody_waits() {
    let (faulty, recorder) = faulty();
    faulty.inject(|_| Some(Fault::Slow(HOUR)));
    let mut calls = join_all(every_call(&faulty));
    assert!(timeout(ALMOST, &mut calls).await.is_err());
    assert_eq!(recorder.take(), [""; 0]);
    drop(calls);
    sleep(HOUR).await;
    assert_eq!(recorder.take().len(), METHODS.len());
    let made = Instant::now();
    join_all(every_call(&faulty)).await;
    assert!(made.elapsed() >= HOUR, "{:?}", made.elapsed());
    assert_eq!(recorder.take().len(), METHODS.len());
}

#[tokio::test(start_paused = true)]
async fn what_hangs_goes_through_when_it_is_healed() {
    let (faulty, recorder) = faulty();
    faulty.inject(|_| Some(Fault::Hang));
    let mut calls = join_all(every_call(&faulty));
    assert!(timeout(HOUR, &mut calls).await.is_err());
    // Another rule is for other calls.
    faulty.inject(|_| Some(Fault::Refuse));
    assert!(timeout(HOUR, &mut calls).await.is_err());
    assert_eq!(recorder.take(), [""; 0]);
    faulty.heal();
    // They were healed, though nobody has polled them since.
    faulty.inject(|_| Some(Fault::Hang));
    let answers = timeout(HOUR, calls).await.expect("healed");
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(recorder.take(), METHODS);
}

#[tokio::test]
async fn a_call_that_is_dropped_while_it_hangs_is_never_made() {
    let (faulty, recorder) = faulty();
    faulty.inject(|_| Some(Fault::Hang));
    assert!(join_all(every_call(&faulty)).now_or_never().is_none());
    faulty.heal();
    tokio::task::yield_now().await;
    assert_eq!(recorder.take(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_rule_may_heal() {
    let (faulty, _) = faulty();
    let faulty = Arc::new(faulty);
    let weak = Arc::downgrade(&faulty);
    faulty.inject(move |_| {
        weak.upgrade().unwrap().heal();
        Some(Fault::Hang)
    });
    timeout(HOUR, faulty.txn(Txn::new())).await.expect("healed").unwrap();
}

#[tokio::test]
async fn an_open_watch_goes_on_while_watching_is_refused() {
    let (faulty, _) = faulty();
    let mut changes = faulty.watch(range(), Revision(3)).await.unwrap();
    faulty.inject(|_| Some(Fault::Refuse));
    assert!(faulty.watch(range(), Revision(3)).await.is_err());
    assert_eq!(changes.next().await.unwrap().unwrap(), batch(4));
    assert_eq!(changes.next().await.unwrap().unwrap(), batch(5));
    assert!(changes.next().now_or_never().is_none());
}

#[tokio::test]
async fn watches_are_ended_by_an_error_and_others_can_follow() {
    type End = fn(&Faulty<Recorder>);
    let ends: [(End, _, _); 2] = [
        (Faulty::drop_watches, BackendErrorKind::Unavailable, true),
        (Faulty::compact_watches, BackendErrorKind::Compacted, false),
    ];
    for (end, kind, retryable) in ends {
        let (faulty, _) = faulty();
        let mut fresh = Vec::new();
        for _ in 0..10 {
            fresh.push(faulty.watch(range(), Revision(3)).await.unwrap());
        }
        let mut waiting = faulty.watch(range(), Revision(3)).await.unwrap();
        waiting.next().await.unwrap().unwrap();
        waiting.next().await.unwrap().unwrap();
        let ((), woken) = tokio::join!(async { end(&faulty) }, waiting.next());
        let mut items = vec![woken];
        for changes in &mut fresh {
            items.push(changes.next().await);
        }
        for item in items {
            let error = item.unwrap().unwrap_err();
            assert_eq!((error.kind(), error.is_retryable()), (kind, retryable), "{error:?}");
        }
        for changes in fresh.iter_mut().chain([&mut waiting]) {
            assert!(changes.next().await.is_none(), "the error is the last item");
        }
        let mut resumed = faulty.watch(range(), Revision(5)).await.unwrap();
        assert_eq!(resumed.next().await.unwrap().unwrap(), batch(6));
    }
}

#[tokio::test]
async fn an_error_of_the_backend_ends_a_watch() {
    let (faulty, _) = faulty();
    let mut changes = faulty.watch(range(), Revision(100)).await.unwrap();
    let error = changes.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::Internal);
    faulty.drop_watches();
    assert!(changes.next().await.is_none(), "one error is the last item");
}

#[tokio::test]
async fn a_watch_outlives_the_backend() {
    let (faulty, _) = faulty();
    let mut changes = faulty.watch(range(), Revision(3)).await.unwrap();
    drop(faulty);
    assert_eq!(changes.next().await.unwrap().unwrap(), batch(4));
    assert_eq!(changes.next().await.unwrap().unwrap(), batch(5));
    assert!(changes.next().now_or_never().is_none());
}

#[tokio::test]
async fn watches_that_were_dropped_are_forgotten() {
    let (faulty, _) = faulty();
    for _ in 0..10 {
        drop(faulty.watch(range(), Revision(3)).await.unwrap());
    }
    let _open = faulty.watch(range(), Revision(3)).await.unwrap();
    assert_eq!(locked(&faulty.watches).len(), 1);
}

#[tokio::test]
async fn leases_end_before_the_call_is_carried_out_and_only_once() {
    let (faulty, recorder) = faulty();
    for _ in 0..2 {
        faulty.grant(HOUR).await.unwrap();
    }
    // Nobody learns of this one, and it was granted all the same.
    faulty.inject(|_| Some(Fault::LoseAnswer));
    faulty.grant(HOUR).await.unwrap_err();
    faulty.inject(|_| Some(Fault::EndLeases));
    faulty.txn(Txn::new()).await.unwrap();
    assert_eq!(recorder.take(), ["grant", "grant", "grant", "revoke", "revoke", "revoke", "txn"]);
    faulty.txn(Txn::new()).await.unwrap();
    assert_eq!(recorder.take(), ["txn"]);
}

#[tokio::test]
async fn a_lease_that_has_ended_already_is_passed_over() {
    let (faulty, recorder) = faulty();
    for _ in 0..4 {
        faulty.grant(HOUR).await.unwrap();
    }
    faulty.end_leases().await;
    assert_eq!(recorder.take()[4..], ["revoke"; 4], "of the fourth the backend knows nothing");
}

#[tokio::test]
#[should_panic(expected = "does not end")]
async fn a_lease_that_cannot_be_ended_is_no_secret() {
    let faulty = Faulty::new(Arc::new(Faulty::new(Recorder::default())));
    faulty.grant(HOUR).await.unwrap();
    faulty.backend.inject(|_| Some(Fault::Refuse));
    faulty.end_leases().await;
}

#[tokio::test]
async fn watches_are_dropped_at_a_call() {
    let (faulty, recorder) = faulty();
    let mut changes = faulty.watch(range(), Revision(3)).await.unwrap();
    faulty.inject(|call| matches!(call, Call::Txn(_)).then_some(Fault::DropWatches));
    assert_eq!(changes.next().await.unwrap().unwrap(), batch(4));
    faulty.txn(Txn::new()).await.unwrap();
    let error = changes.next().await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (BackendErrorKind::Unavailable, true));
    assert_eq!(recorder.take(), ["watch", "txn"]);
}
