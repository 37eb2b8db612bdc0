//! Makes random steps on a store and holds every answer against the worlds.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, TryStreamExt};
use proptest::test_runner::TestCaseError;
use storage_conformance::TestStore;
use storage_conformance::decorate::{Fault, Faulty};
use storage_core::kv::{
    BackendErrorKind, Compare, Cursor, Entry, KeyRange, KvBackend, KvBackendExt, LeaseId, Op, RangeRequest,
    Revision, Txn,
};
use tokio::time::{Instant, sleep, sleep_until};

use super::call::{Answer, Call, fits};
use super::steps::{Action, At, Draft, Edge, Pause, Step, TICK, Trouble};
use super::watches::{Read, Watch};
use super::worlds::Worlds;

type Client = Arc<Faulty<Arc<dyn KvBackend>>>;

/// A store that steps are made on.
struct Run {
    store: Box<dyn TestStore>,
    clients: [Client; 2],
    worlds: Worlds,
    watches: Vec<Watch>,
    /// The leases whose names are known, each with the client that was granted it.
    leases: Vec<(LeaseId, usize)>,
    /// Where the next page of what was read last begins.
    next_page: Option<(RangeRequest, Cursor)>,
}

/// Makes the steps, and looks at everything at the end.
pub(super) async fn run(
    store: Box<dyn TestStore>,
    steps: Vec<Step>,
    lag: Duration,
) -> Result<(), TestCaseError> {
    let client = async || Arc::new(Faulty::new(store.client().await));
    let clients = [client().await, client().await];
    let empty = RangeRequest::new(KeyRange::prefix(bytes::Bytes::new()));
    let revision = clients[0].range(empty).await.expect("an empty store can be read").revision;
    let worlds = Worlds::new(revision, clients[0].limits(), lag);
    let mut run = Run { store, clients, worlds, watches: Vec::new(), leases: Vec::new(), next_page: None };
    for step in steps {
        run.step(step).await?;
    }
    run.finish().await
}

impl Run {
    async fn step(&mut self, Step { client, action }: Step) -> Result<(), TestCaseError> {
        self.worlds.pass(Instant::now());
        match action {
            Action::Call(draft, trouble) => {
                let call = self.resolve(draft);
                self.call(client, call, trouble).await
            }
            Action::NextPage(hint) => {
                let Some((request, mut cursor)) = self.next_page.take() else { return Ok(()) };
                cursor.hint = hint.unwrap_or(cursor.hint);
                self.call(client, Call::Range(request.with_cursor(cursor)), Trouble::None).await
            }
            Action::Compact(at) => {
                let revision = self.at(at).min(self.worlds.newest());
                self.store.compact(revision).await;
                self.worlds.happen(|model| model.compact(revision));
                Ok(())
            }
            Action::Sleep(pause) => {
                sleep_until(self.until(pause)).await;
                Ok(())
            }
            Action::OpenWatch(range, at) => self.open_watch(client, range, self.at(at)).await,
            Action::ReadWatch(number) => self.read_watch(number).await,
            Action::DropWatch(number) => {
                if !self.watches.is_empty() {
                    drop(self.watches.swap_remove(number % self.watches.len()));
                }
                Ok(())
            }
            Action::BreakWatches => {
                self.clients[client].drop_watches();
                self.broken(client);
                Ok(())
            }
        }
    }

    fn broken(&mut self, client: usize) {
        for watch in self.watches.iter_mut().filter(|watch| watch.client == client) {
            watch.is_broken = true;
        }
    }

    /// Makes a call in trouble, and compares its answer.
    async fn call(&mut self, client: usize, call: Call, trouble: Trouble) -> Result<(), TestCaseError> {
        let backend = Arc::clone(&self.clients[client]);
        if let Some(fault) = trouble.fault() {
            backend.inject(move |_| Some(fault));
        }
        let sent = Instant::now();
        let answer = match trouble {
            // Dropped at its first await, if it has one.
            Trouble::Drop => call.clone().make(&*backend).now_or_never(),
            _ => Some(call.clone().make(&*backend).await),
        };
        backend.heal();
        let now = Instant::now();
        self.worlds.pass(now);
        match trouble {
            Trouble::EndLeases => {
                let granted = self.leases.iter().filter(|(_, owner)| *owner == client);
                let granted: Vec<_> = granted.map(|(lease, _)| *lease).collect();
                let running: Vec<_> =
                    granted.into_iter().filter(|lease| self.worlds.any().lease(*lease).is_some()).collect();
                self.worlds.end(&running);
            }
            Trouble::DropWatches => self.broken(client),
            _ => {}
        }
        let Some(answer) = answer else {
            self.worlds.split(|model| model.apply(&call, now));
            return Ok(());
        };
        match (trouble, answer) {
            (Trouble::Late(delay), Err(error)) if is_loss(&error) => {
                self.worlds.late(sent + delay, &call);
            }
            (Trouble::LoseAnswer | Trouble::NoSpace { .. }, Err(error)) if error.is_maybe_applied() => {
                self.worlds.split(|model| model.apply(&call, now));
            }
            (Trouble::Refuse, Err(error)) if !error.is_maybe_applied() && error.is_retryable() => {}
            (_, answer) => {
                let answer = answer.map_err(|error| error.kind());
                let shown = || format!("{call:?} through client {client} was answered {answer:?}");
                self.worlds.observe(shown, |model| model.fit(&call, &answer, now))?;
                self.take_note(client, &call, &answer);
            }
        }
        Ok(())
    }

    fn take_note(&mut self, client: usize, call: &Call, answer: &Result<Answer, BackendErrorKind>) {
        match (call, answer) {
            (Call::Grant(_), Ok(Answer::Grant(lease))) => self.leases.push((lease.id, client)),
            (Call::Range(request), Ok(Answer::Range(page))) => {
                let request = request.clone().with_revision(page.revision);
                self.next_page = page.next.clone().map(|cursor| (request, cursor));
            }
            _ => {}
        }
    }

    async fn open_watch(
        &mut self,
        client: usize,
        range: KeyRange,
        after: Revision,
    ) -> Result<(), TestCaseError> {
        let opened = self.clients[client].watch(range.clone(), after).await;
        match opened {
            Ok(changes) => {
                let watch = Watch::new(client, range, after, changes, &self.worlds);
                self.watches.push(watch);
                Ok(())
            }
            Err(error) => {
                let shown = || format!("watching {range:?} after {after} fails with {error:?}");
                self.worlds.observe(shown, |model| match error.kind() {
                    BackendErrorKind::InvalidRequest => {
                        fits!(super::model::is_no_range(&range), "the range is well-formed");
                        Ok(())
                    }
                    BackendErrorKind::Compacted => {
                        fits!(after < model.compacted(), "only {} is compacted", model.compacted());
                        Ok(())
                    }
                    _ => Err("expected no such error".to_owned()),
                })
            }
        }
    }

    async fn read_watch(&mut self, number: usize) -> Result<(), TestCaseError> {
        if self.watches.is_empty() {
            return Ok(());
        }
        let number = number % self.watches.len();
        match self.watches[number].read(&mut self.worlds).await? {
            Read::Batch | Read::Nothing => Ok(()),
            Read::Ended => {
                let ended = self.watches.swap_remove(number);
                if ended.is_broken {
                    // It is resumed where it was.
                    self.open_watch(ended.client, ended.range.clone(), ended.position).await?;
                }
                Ok(())
            }
        }
    }

    /// Waits until nothing is on its way any more, then looks at every revision and reads every watch to its end.
    async fn finish(mut self) -> Result<(), TestCaseError> {
        sleep(Duration::from_secs(20)).await;
        self.worlds.pass(Instant::now());
        let everything = KeyRange::prefix(bytes::Bytes::new());
        // Of this one everything must come that is kept.
        self.open_watch(1, everything.clone(), self.worlds.any().compacted()).await?;
        while !self.watches.is_empty() {
            while let Read::Batch = self.watches[0].read(&mut self.worlds).await? {}
            self.watches.swap_remove(0);
        }
        let newest = Call::Range(RangeRequest::new(everything.clone()));
        self.call(0, newest, Trouble::None).await?;
        for revision in 0..=self.worlds.newest().0 {
            let request = RangeRequest::new(everything.clone()).with_revision(Revision(revision));
            let client = &self.clients[usize::from(revision % 2 == 0)];
            let read: Result<Vec<Entry>, _> =
                client.scan(request.with_limit(limit(revision))).try_collect().await;
            let read = read.map_err(|error| error.kind());
            self.worlds.observe(
                || format!("revision {revision} reads {read:?}"),
                |model| {
                    let expected =
                        model.at(Revision(revision)).map(|state| state.values().cloned().collect());
                    let fits = match (&expected, &read) {
                        (Ok(expected), Ok(read)) => expected == read,
                        (Err(kinds), Err(kind)) => kinds.contains(kind),
                        _ => revision == 0 && read == Err(BackendErrorKind::Compacted),
                    };
                    let expected: Result<Vec<Entry>, _> = expected;
                    fits!(fits, "expected {expected:?}");
                    Ok(())
                },
            )?;
        }
        Ok(())
    }

    fn at(&self, at: At) -> Revision {
        let (newest, compacted) = (self.worlds.newest().0, self.worlds.any().compacted().0);
        Revision(match at {
            At::Back(count) => newest.saturating_sub(count),
            At::Ahead(count) => newest + count,
            At::Compacted(count) => (compacted + count).saturating_sub(2),
            At::Zero => 0,
            At::Largest => u64::MAX,
        })
    }

    fn until(&self, pause: Pause) -> Instant {
        let now = Instant::now();
        match pause {
            Pause::For(time) => now + time,
            Pause::UntilNextEnd(edge) => {
                let end = self.worlds.any().leases().map(|(_, running)| running.ends).min().unwrap_or(now);
                match edge {
                    Edge::Before => end - TICK,
                    Edge::At => end,
                    Edge::After => end + TICK,
                }
            }
        }
    }

    fn resolve(&self, draft: Draft) -> Call {
        match draft {
            Draft::Txn(txn) => Call::Txn(self.resolve_txn(txn)),
            Draft::Range(mut request, at) => {
                request.at = at.map(|at| self.at(at));
                Call::Range(request)
            }
            Draft::Grant(ttl) => Call::Grant(ttl),
            Draft::KeepAlive(lease) => Call::KeepAlive(self.lease(lease)),
            Draft::TimeToLive(lease) => Call::TimeToLive(self.lease(lease)),
            Draft::Revoke(lease) => Call::Revoke(self.lease(lease)),
        }
    }

    fn resolve_txn(&self, mut txn: Txn) -> Txn {
        for compare in &mut txn.compares {
            if let Compare::ModRevision(key, revision) = compare {
                let current = self.worlds.any().state().get(key).map(|entry| entry.mod_revision);
                *revision = match revision.0 {
                    0 => Revision::ZERO,
                    1 => current.unwrap_or(*revision),
                    back => Revision(self.worlds.newest().0.saturating_sub(back)),
                };
            }
        }
        for op in &mut txn.success {
            if let Op::Put { lease: Some(lease), .. } = op {
                *lease = self.lease(*lease);
            }
        }
        txn
    }

    /// One of the last three leases by its number; 7 is one that was never granted.
    fn lease(&self, number: LeaseId) -> LeaseId {
        let number = usize::try_from(number.get()).unwrap_or_default();
        let recent = &self.leases[self.leases.len().saturating_sub(3)..];
        let known = if recent.is_empty() || number == 7 { None } else { recent.get(number % recent.len()) };
        known.map_or(LeaseId::new(999_999_999).expect("not zero"), |(lease, _)| *lease)
    }
}

/// Pages of one to three entries.
fn limit(revision: u64) -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(u32::try_from(revision % 3).unwrap_or_default())
}

/// Whether it is the error of an answer that was lost.
fn is_loss(error: &storage_core::kv::BackendError) -> bool {
    error.kind() == BackendErrorKind::Timeout && error.is_maybe_applied()
}

impl Trouble {
    fn fault(self) -> Option<Fault> {
        match self {
            Self::None | Self::Drop => None,
            Self::Refuse => Some(Fault::Refuse),
            Self::LoseAnswer => Some(Fault::LoseAnswer),
            Self::Late(delay) => Some(Fault::Late(delay)),
            Self::Slow(delay) => Some(Fault::Slow(delay)),
            Self::NoSpace { applied } => Some(Fault::NoSpace { applied }),
            Self::EndLeases => Some(Fault::EndLeases),
            Self::DropWatches => Some(Fault::DropWatches),
        }
    }
}
