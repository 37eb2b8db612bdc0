//! A store that does something else than it says is found out by the histories of concurrent clients on it.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use async_trait::async_trait;
use kv_memory::{MemoryBackend, MemoryOptions};
use storage_conformance::history::{
    Fencing, Load, Log, Operation, Outcome, Plan, Recorder, Rule, Work, check_work,
};
use storage_core::kv::{
    BackendError, BackendErrorKind, Compare, Key, KeyRange, KvBackend, Lease, LeaseId, Limits, Op, OpReply,
    RangePage, RangeRequest, Revision, Txn, TxnOutcome, TxnReply, WatchStream,
};
use storage_core::{ErrorKind, Storage, StorageOptions};

/// What is wrong with the store, now and then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broken {
    /// It answers reads as it has before.
    StaleReads,
    /// It says that a write was done, and does nothing.
    DropsWrites,
    /// It does a write again.
    WritesTwice,
    /// It says that a write was refused, and does it.
    RefusesWhatItDoes,
    /// It does the first half of a group, then the second.
    TearsGroups,
    /// It forgets to look at the versions of files.
    ForgetsVersions,
    /// It forgets to look whether a file is there.
    ForgetsAbsence,
    /// It counts one file too many.
    Miscounts,
    /// It says that leases were renewed, lets them end and keeps that dark: so it is for a process that is stopped.
    LiesAboutRenewals,
    /// It does that, and forgets to look whether a lock is held when something is written under it.
    ForgetsFences,
}

struct Saboteur {
    backend: MemoryBackend,
    broken: Broken,
    calls: AtomicU64,
    answers: Mutex<HashMap<String, TxnReply>>,
}

fn is_of(key: &Key, kind: &str) -> bool {
    key.as_bytes().starts_with(format!("/caddy/{kind}/").as_bytes())
}

fn puts_file(op: &Op) -> bool {
    matches!(op, Op::Put { key, .. } if is_of(key, "meta"))
}

impl Saboteur {
    /// Whether it is time for a mistake.
    fn now(&self) -> bool {
        self.calls.fetch_add(1, SeqCst) % 7 == 6
    }

    /// Whether it lets leases end without a word.
    fn keeps_dark(&self) -> bool {
        matches!(self.broken, Broken::LiesAboutRenewals | Broken::ForgetsFences)
    }

    /// Leaves out compares, with the reads that would tell that they have failed.
    fn without(txn: &mut Txn, is_left_out: impl Fn(&Compare) -> bool) {
        let left_out: Vec<_> = txn.compares.iter().map(&is_left_out).collect();
        txn.compares.retain(|compare| !is_left_out(compare));
        let mut left_out = left_out.into_iter();
        txn.failure.retain(|_| !left_out.next().unwrap_or(false));
    }
}

#[async_trait]
impl KvBackend for Saboteur {
    async fn txn(&self, mut txn: Txn) -> Result<TxnReply, BackendError> {
        let writes_files = txn.success.iter().any(puts_file);
        match self.broken {
            Broken::StaleReads if txn.success.iter().all(|op| matches!(op, Op::Get(_))) => {
                let key = format!("{txn:?}");
                let reply = self.backend.txn(txn).await?;
                let before = self.answers.lock().unwrap().insert(key, reply.clone());
                return Ok(before.filter(|_| self.now()).unwrap_or(reply));
            }
            Broken::DropsWrites if writes_files && self.now() => {
                let newest = self.backend.txn(Txn::new()).await?.revision;
                let outcome = TxnOutcome::Matched(vec![OpReply::Put; txn.success.len()]);
                return Ok(TxnReply { revision: Revision(newest.0 + 1), outcome });
            }
            Broken::WritesTwice if writes_files && self.now() => {
                let reply = self.backend.txn(txn.clone()).await;
                self.backend.txn(txn).await?;
                return reply;
            }
            Broken::RefusesWhatItDoes if writes_files && self.now() => {
                self.backend.txn(txn).await?;
                return Err(BackendError::new(BackendErrorKind::PermissionDenied, "not you").not_applied());
            }
            Broken::TearsGroups if txn.success.iter().filter(|op| puts_file(op)).count() > 1 => {
                let half = txn.success.iter().position(puts_file).unwrap() + 1;
                let rest = txn.success.split_off(half);
                let reply = self.backend.txn(txn).await?;
                let TxnOutcome::Matched(mut replies) = reply.outcome else { return Ok(reply) };
                let second = self.backend.txn(rest.into_iter().fold(Txn::new(), Txn::then)).await?;
                if let TxnOutcome::Matched(others) = second.outcome {
                    replies.extend(others);
                }
                return Ok(TxnReply { revision: second.revision, outcome: TxnOutcome::Matched(replies) });
            }
            Broken::ForgetsVersions if writes_files => {
                let is_version =
                    |compare: &Compare| matches!(compare, Compare::ModRevision(key, _) if is_of(key, "meta"));
                Self::without(&mut txn, is_version);
            }
            Broken::ForgetsAbsence if writes_files => {
                let puts = |txn: &Txn, wanted: &Key| {
                    txn.success.iter().any(|op| matches!(op, Op::Put { key, .. } if key == wanted))
                };
                let is_own = |compare: &&Compare| matches!(compare, Compare::Absent(key) if puts(&txn, key));
                let absent: Vec<Compare> = txn.compares.iter().filter(is_own).cloned().collect();
                Self::without(&mut txn, |compare| absent.contains(compare));
            }
            Broken::ForgetsFences if writes_files => {
                let is_fence =
                    |compare: &Compare| matches!(compare, Compare::Present(key) if is_of(key, "lock"));
                Self::without(&mut txn, is_fence);
            }
            _ => {}
        }
        let mut reply = self.backend.txn(txn).await?;
        if self.broken == Broken::Miscounts
            && let TxnOutcome::Matched(replies) = &mut reply.outcome
            && let Some(count) = replies.iter_mut().find_map(|reply| match reply {
                OpReply::Deleted(count @ 1..) => Some(count),
                _ => None,
            })
            && self.now()
        {
            *count += 1;
        }
        Ok(reply)
    }

    fn limits(&self) -> Limits {
        self.backend.limits()
    }

    async fn range(&self, request: RangeRequest) -> Result<RangePage, BackendError> {
        let own = request.range.as_single();
        if self.keeps_dark() && own.is_some_and(|key| is_of(key, "lock") || is_of(key, "session")) {
            return Err(BackendError::new(BackendErrorKind::Unavailable, "it is dark").not_applied());
        }
        self.backend.range(request).await
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease, BackendError> {
        self.backend.grant(ttl).await
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<Duration, BackendError> {
        if self.keeps_dark() {
            return Ok(LEASE);
        }
        self.backend.keep_alive(lease).await
    }

    async fn time_to_live(&self, lease: LeaseId) -> Result<Duration, BackendError> {
        self.backend.time_to_live(lease).await
    }

    async fn revoke(&self, lease: LeaseId) -> Result<(), BackendError> {
        self.backend.revoke(lease).await
    }

    async fn watch(&self, range: KeyRange, after: Revision) -> Result<WatchStream, BackendError> {
        if self.keeps_dark() && is_of(range.start(), "session") {
            return Ok(Box::pin(futures::stream::pending()));
        }
        self.backend.watch(range, after).await
    }
}

const LEASE: Duration = Duration::from_secs(2);

/// Lets clients do this work on a store that is broken like this; what they were told, and which promises are broken.
async fn work_on(broken: Broken, work: Work) -> (Vec<Operation>, Vec<Rule>) {
    let history = NonZeroU64::new(1_000_000).unwrap();
    let backend = MemoryBackend::with_options(MemoryOptions::default().with_history(history));
    let mut trees = Vec::new();
    for _ in 0..4 {
        let calls = AtomicU64::new(0);
        let saboteur = Saboteur { backend: backend.clone(), broken, calls, answers: Mutex::default() };
        let options = StorageOptions::new().with_lock_timeout(LEASE);
        trees.push(Storage::open(saboteur, options).await.unwrap());
    }
    let recorder = Recorder::new();
    Load::start(&trees, &Plan::of(work, 1, 100), &recorder).done().await;
    let log = Log::read(&backend, trees[0].prefix(), Revision::ZERO).await.unwrap();
    let history = recorder.history();
    let violations = check_work(&history, &log);
    for violation in violations.iter().take(1) {
        println!("{broken:?} with {work:?}: {violation}\n");
    }
    let mut rules: Vec<_> = violations.iter().map(|violation| violation.rule).collect();
    rules.sort_unstable();
    rules.dedup();
    (history, rules)
}

/// Holders of a lock sleep past its end, now and then.
const STALLED: Work = Work::Accounts { fencing: Fencing::Fenced, stall: Duration::from_secs(6) };
const STALLED_UNFENCED: Work = Work::Accounts { fencing: Fencing::Unfenced, stall: Duration::from_secs(6) };

#[tokio::test(start_paused = true)]
async fn holders_that_do_not_know_that_they_were_overtaken_break_nothing_as_long_as_they_are_fenced() {
    let (history, rules) = work_on(Broken::LiesAboutRenewals, STALLED).await;
    assert_eq!(rules, []);
    let is_fenced_off = |operation: &&Operation| {
        operation.call.is_write()
            && matches!(operation.outcome, Outcome::Refused { kind: ErrorKind::LockLost, .. })
    };
    let fenced_off = history.iter().filter(is_fenced_off).count();
    println!("{fenced_off} writes were fenced off");
    assert!(fenced_off > 10, "{fenced_off}");
}

macro_rules! found_out {
    ($($name:ident: $broken:ident, $work:expr => $rule:ident;)*) => {
        $(
            #[tokio::test(start_paused = true)]
            async fn $name() {
                let (_, rules) = work_on(Broken::$broken, $work).await;
                assert!(rules.contains(&Rule::$rule), "{rules:?}");
            }
        )*
    };
}

found_out! {
    stale_reads_are_found_out: StaleReads, Work::Registers => Read;
    stale_reads_are_found_out_without_the_log: StaleReads, Work::Registers => Linearizable;
    writes_that_are_dropped_are_found_out: DropsWrites, Work::Registers => Lost;
    writes_that_are_done_twice_are_found_out: WritesTwice, Work::Registers => Unwritten;
    writes_that_are_done_though_refused_are_found_out: RefusesWhatItDoes, Work::Registers => Unwritten;
    groups_that_are_torn_are_found_out: TearsGroups, Work::Registers => Torn;
    counters_that_are_overwritten_are_found_out: ForgetsVersions, Work::Counters => Condition;
    updates_that_are_lost_show_in_the_count: ForgetsVersions, Work::Counters => Invariant;
    updates_that_are_lost_are_found_out_without_the_log: ForgetsVersions, Work::Counters => Linearizable;
    files_that_are_created_twice_are_found_out: ForgetsAbsence, Work::Registers => Condition;
    renames_that_overwrite_are_found_out: ForgetsAbsence, Work::Renames => Condition;
    wrong_counts_are_found_out: Miscounts, Work::Directories => Lost;
    fences_that_are_forgotten_are_found_out: ForgetsFences, STALLED => Lock;
    fences_that_are_forgotten_cost_money: ForgetsFences, STALLED => Invariant;
    holders_without_fences_cost_money: LiesAboutRenewals, STALLED_UNFENCED => Invariant;
}
