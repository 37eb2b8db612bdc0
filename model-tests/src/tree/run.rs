//! Makes random steps on a tree through two storages, and holds every answer against the models.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use storage_conformance::TestStore;
use storage_conformance::decorate::{Fault, Faulty};
use storage_core::kv::{KvBackend, Op, Revision};
use storage_core::{ChangeKind, Error, ErrorKind, KeyPrefix, Storage, StorageOptions, Version};
use tokio::time::{Instant, sleep, timeout};

use super::follow::{Following, OpenList};
use super::guards::{Held, Waiting};
use super::locks::{Locks, Task};
use super::steps::{Action, Damage, Kind, LATEST, Step, Trouble};
use crate::files::{Meta, Record, Tree, file_path};
use crate::raw::{Raw, Snapshot};

pub(super) type Client = Arc<Faulty<Arc<dyn KvBackend>>>;
pub(super) type Checked = Result<(), TestCaseError>;
/// The fault after which nobody can tell who holds which lock, or waits for it.
pub(super) type Disturbed = Option<Kind>;

/// The time that everything in the background takes, unless something is broken.
const SOON: Duration = Duration::from_millis(200);
/// The longest that a call is waited for; then it is dropped.
const GIVE_UP: Duration = Duration::from_secs(40);
pub(super) const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// A change of a file, as watches have to deliver it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    pub(super) version: Version,
    pub(super) path: String,
    pub(super) kind: ChangeKind,
}

/// A tree that steps are made on.
pub(super) struct Run {
    pub(super) store: Box<dyn TestStore>,
    pub(super) raw: Raw,
    options: StorageOptions,
    pub(super) backends: [Client; 2],
    pub(super) storages: [Storage<Client>; 2],
    pub(super) tree: Tree,
    /// Every change of a file, in order.
    pub(super) log: Vec<Change>,
    pub(super) compacted: Revision,
    /// When each client has last written something.
    pub(super) written: [Option<Instant>; 2],
    /// The newest revision when the last step was done.
    pub(super) seen: Revision,
    pub(super) locks: Locks,
    pub(super) guards: Vec<Held>,
    pub(super) waiting: Vec<Waiting>,
    pub(super) tasks: Task,
    pub(super) lists: Vec<OpenList>,
    pub(super) watches: Vec<Following>,
}

/// What came of an operation.
pub(super) struct Attempt<T> {
    /// `None` if it was dropped.
    pub(super) result: Option<Result<T, Error>>,
    /// The fault that some of its calls have suffered.
    pub(super) fault: Option<Kind>,
    /// From when it was made until it was answered.
    pub(super) took: RangeInclusive<Instant>,
}

impl<T> Attempt<T> {
    /// The fault if nobody can tell what it has done to locks: leases have ended, or the operation did not succeed.
    pub(super) fn disturbs_locks(&self) -> Disturbed {
        let has_failed = !matches!(self.result, Some(Ok(_)));
        self.fault.filter(|fault| has_failed || matches!(fault, Kind::EndLeases))
    }
}

pub(super) async fn run(store: Box<dyn TestStore>, steps: Vec<Step>) -> Checked {
    let prefix = KeyPrefix::parse(&format!("{}tree", store.prefix())).expect("a plain prefix");
    let options = StorageOptions::new().with_prefix(prefix.clone()).with_lock_timeout(LOCK_TIMEOUT);
    let client = async || Arc::new(Faulty::new(store.client().await));
    let backends = [client().await, client().await];
    let open = async |number: usize| {
        let backend = Arc::clone(&backends[number]);
        Storage::open(backend, options.clone()).await.expect("an empty tree can be opened")
    };
    let storages = [open(0).await, open(1).await];
    let raw = Raw::new(store.client().await, prefix);
    let mut run = Run {
        store,
        raw,
        options,
        backends,
        storages,
        tree: Tree::default(),
        log: Vec::new(),
        compacted: Revision::ZERO,
        seen: Revision::ZERO,
        written: [None; 2],
        locks: Locks::default(),
        guards: Vec::new(),
        waiting: Vec::new(),
        tasks: 0,
        lists: Vec::new(),
        watches: Vec::new(),
    };
    for step in steps {
        let shown = format!("{step:?}");
        run.step(step).await.map_err(|error| match error {
            TestCaseError::Fail(reason) => TestCaseError::fail(format!("{reason}\n  in {shown}")),
            reject @ TestCaseError::Reject(_) => reject,
        })?;
    }
    run.finish().await
}

impl Run {
    async fn step(&mut self, Step { client, action, trouble }: Step) -> Checked {
        let breaks_watches =
            trouble.is_some() || matches!(action, Action::BreakWatches | Action::LoseChanges);
        if breaks_watches && self.compacted > Revision::ZERO {
            // The watch of the store is resumed after the last change that it has seen, which may be long ago.
            self.watches.iter_mut().filter(|watch| watch.client == client).for_each(Following::may_resync);
        }
        let disturbed = match action {
            Action::Write(write) => self.write(client, &write, None, trouble).await?,
            Action::Fenced(guard, write) => self.fenced(guard, &write, trouble).await?,
            Action::Read(read) => self.read(client, &read, trouble).await?,
            Action::OpenList(path, listing) => self.open_list(client, path, listing),
            Action::ReadList(list, count) => self.read_list(list, count).await?,
            Action::Watch(path) => self.watch(client, &path, trouble).await?,
            Action::WatchAfter(path, back) => self.watch_after(client, &path, back).await?,
            Action::ReadWatch(number) => self.read_watch(number).await?,
            Action::DropWatch(number) => self.drop_watch(number),
            Action::Lock(name, deadline) => self.lock(client, name, deadline, trouble).await?,
            Action::TryLock(name) => self.try_lock(client, name, trouble).await?,
            Action::Unlock(guard) => self.unlock(guard, trouble).await?,
            Action::UnlockByName(name) => self.unlock_by_name(client, &name, trouble).await?,
            Action::Renew(guard) => self.renew(guard, trouble).await?,
            Action::DropGuard(guard) => self.drop_guard(guard),
            Action::Abandon(waiting) => self.abandon(waiting),
            Action::Locks => self.list_locks(client, trouble).await?,
            Action::BreakLock(name) => self.break_lock(client, &name, trouble).await?,
            Action::Reopen => self.reopen(client, trouble).await?,
            Action::EndLeases => {
                self.backends[client].end_leases().await;
                self.lose_session(client);
                None
            }
            Action::BreakWatches => {
                self.backends[client].drop_watches();
                // Until they have been opened again.
                sleep(LATEST).await;
                None
            }
            Action::LoseChanges => {
                self.backends[client].compact_watches();
                self.watches
                    .iter_mut()
                    .filter(|watch| watch.client == client)
                    .for_each(Following::may_resync);
                sleep(LATEST).await;
                None
            }
            Action::Sleep(time) => {
                sleep(time).await;
                None
            }
            Action::Compact(back) => {
                let revision = Revision(self.raw.newest().await.0.saturating_sub(back));
                self.store.compact(revision).await;
                self.compacted = self.compacted.max(revision);
                None
            }
            Action::Damage(path, damage) => self.damage(&path, damage).await?,
            Action::Fill(count) => self.fill(client, count).await?,
        };
        sleep(SOON).await;
        let snapshot = self.raw.snapshot().await;
        prop_assert_eq!(&snapshot.tree, &self.tree.without_times(), "what is stored");
        self.seen = snapshot.revision;
        self.check_locks(&snapshot, disturbed)
    }

    /// Makes an operation in trouble, and waits until nothing of it is on its way any more.
    pub(super) async fn attempt<T>(
        &self,
        client: usize,
        trouble: Option<Trouble>,
        operation: impl Future<Output = Result<T, Error>>,
    ) -> Attempt<T> {
        let made = Instant::now();
        let Some(trouble) = trouble else {
            let result = timeout(GIVE_UP, operation).await.ok();
            return Attempt { result, fault: None, took: made..=Instant::now() };
        };
        let struck = self.inject(client, trouble);
        let result = timeout(GIVE_UP, operation).await.ok();
        let took = made..=Instant::now();
        self.backends[client].heal();
        let fault = struck.load(SeqCst).then_some(trouble.fault);
        if fault.is_some() {
            sleep(LATEST + SOON).await;
        }
        Attempt { result, fault, took }
    }

    /// Lets some of the calls of a client fail from now on; whether any has is told by the answer.
    pub(super) fn inject(&self, client: usize, trouble: Trouble) -> Arc<AtomicBool> {
        let (struck, calls) = (Arc::new(AtomicBool::new(false)), AtomicU32::new(0));
        let (noted, fault) = (Arc::clone(&struck), trouble.fault.fault());
        self.backends[client].inject(move |_| {
            let call = calls.fetch_add(1, SeqCst) + 1;
            let strikes = (trouble.first..trouble.first + trouble.count).contains(&call);
            noted.fetch_or(strikes, SeqCst);
            strikes.then_some(fault)
        });
        struck
    }

    async fn damage(&mut self, path: &str, damage: Damage) -> Result<Disturbed, TestCaseError> {
        let Ok(path) = file_path(path) else { return Ok(None) };
        let is_file = self.tree.meta.contains_key(&path);
        let (meta, data) = (self.raw.key(&format!("meta/{path}")), self.raw.key(&format!("data/{path}")));
        let length = self.tree.data.get(&path).map_or(0, Bytes::len);
        let content = match damage {
            Damage::SameLength => Bytes::from("!".repeat(length)),
            _ => Bytes::from("another content"),
        };
        let put = |key, value: Bytes| Op::Put { key, value, lease: None };
        let op = match damage {
            Damage::Orphan if self.raw.snapshot().await.has_format => put(data, content.clone()),
            Damage::Orphan => return Ok(None),
            _ if !is_file => return Ok(None),
            Damage::OtherContent | Damage::SameLength => put(data, content.clone()),
            Damage::BrokenRecord => put(meta, "{\"version\":1,\"size\":".into()),
            Damage::LaterRecord => put(meta, "{\"version\":2}".into()),
            Damage::NoContent => Op::Delete(data),
            Damage::NoRecord => Op::Delete(meta),
        };
        let version = Version::new(self.raw.write(op).await);
        let mut changed = self.tree.clone();
        let broken = |record| Meta { record, version };
        match damage {
            Damage::Orphan | Damage::OtherContent | Damage::SameLength => {
                changed.data.insert(path, content);
            }
            Damage::BrokenRecord => drop(changed.meta.insert(path, broken(Record::Broken))),
            Damage::LaterRecord => drop(changed.meta.insert(path, broken(Record::Later))),
            Damage::NoContent => drop(changed.data.remove(&path)),
            Damage::NoRecord => drop(changed.meta.remove(&path)),
        }
        self.change(changed, version);
        Ok(None)
    }

    /// The tree is now another one: what watches have to deliver of that.
    pub(super) fn change(&mut self, tree: Tree, version: Version) {
        let before = std::mem::replace(&mut self.tree, tree);
        let put = self.tree.meta.iter().filter(|(path, meta)| before.meta.get(*path) != Some(meta));
        let put = put.map(|(path, _)| {
            let was_there = before.meta.contains_key(path);
            (path, if was_there { ChangeKind::Modified } else { ChangeKind::Created })
        });
        let gone = before.meta.keys().filter(|path| !self.tree.meta.contains_key(*path));
        let mut changes: Vec<_> = put.chain(gone.map(|path| (path, ChangeKind::Deleted))).collect();
        changes.sort_by_key(|(path, _)| *path);
        let changes = changes.into_iter().map(|(path, kind)| Change { version, path: path.clone(), kind });
        self.log.extend(changes);
    }

    async fn fill(&mut self, client: usize, count: u32) -> Result<Disturbed, TestCaseError> {
        let names = (0..count).map(|number| format!("big/f{number:04}"));
        let behind = ["-1", "-2", ".x", "/x", "/y", "0"].map(|end| format!("big/m{end}"));
        let files: Vec<_> = names.chain(behind).map(|path| (path, Bytes::from("x"))).collect();
        for group in files.chunks(60) {
            let planned = self.tree.store_many(group);
            let stored = self.storages[client].store_many(group.to_vec()).await;
            let (Ok(plan), Ok(stored)) = (planned, stored) else {
                return Err(TestCaseError::fail("an empty tree can be filled"));
            };
            let mut tree = self.tree.clone();
            tree.apply(&plan, stored[0].version);
            for file in &stored {
                if let Some(meta) = tree.meta.get_mut(file.path.as_str()) {
                    meta.tell_time(file.modified);
                }
            }
            self.change(tree, stored[0].version);
        }
        Ok(None)
    }

    async fn reopen(&mut self, client: usize, trouble: Option<Trouble>) -> Result<Disturbed, TestCaseError> {
        let storage = self.storages[client].clone();
        let closed = self.attempt(client, trouble, storage.close()).await;
        let fault = closed.fault;
        match (closed.result, fault) {
            (Some(Ok(())), None) => {}
            (Some(_), Some(_)) => sleep(LOCK_TIMEOUT + SOON).await,
            (result, fault) => prop_assert!(false, "closing: {result:?} with {fault:?}"),
        }
        let refused = [storage.lock("a").await.map(drop), storage.watch("").await.map(drop)];
        for refused in refused {
            prop_assert_eq!(refused.map_err(|error| error.kind()), Err(ErrorKind::Closed));
        }
        sleep(SOON).await;
        for waiting in self.waiting.extract_if(.., |waiting| waiting.client == client) {
            let ended = timeout(SOON, waiting.handle).await;
            let kind =
                ended.map(|ended| ended.expect("no task panics").map(drop).map_err(|error| error.kind()));
            prop_assert_eq!(kind, Ok(Err(ErrorKind::Closed)), "who waits is told");
        }
        self.locks.close(client);
        self.guards.iter_mut().filter(|held| held.client == client).for_each(Held::lose);
        self.watches.iter_mut().filter(|watch| watch.client == client).for_each(Following::close);
        self.storages[client] =
            match Storage::open(Arc::clone(&self.backends[client]), self.options.clone()).await {
                Ok(storage) => storage,
                Err(error) => return Err(TestCaseError::fail(format!("opening again: {error:?}"))),
            };
        // If the store has not ended the session its lease has, at some time.
        Ok(fault.filter(|_| self.is_deadline_in(&(*closed.took.start()..=Instant::now()))))
    }

    /// Releases everything and reads every watch to its end; nothing is left then but files.
    async fn finish(mut self) -> Checked {
        while !self.watches.is_empty() {
            self.exhaust_watch().await?;
        }
        for waiting in self.waiting.drain(..) {
            waiting.handle.abort();
        }
        self.guards.clear();
        sleep(SOON).await;
        for storage in &self.storages {
            let closed = storage.close().await;
            prop_assert!(closed.is_ok(), "closing: {closed:?}");
        }
        let Snapshot { tree, queues, sessions, .. } = self.raw.snapshot().await;
        prop_assert_eq!(tree, self.tree.without_times(), "what is stored in the end");
        prop_assert!(queues.is_empty() && sessions.is_empty(), "left behind: {:?} {:?}", queues, sessions);
        Ok(())
    }
}

/// Of operations that are not about locks: what they may have done to those.
pub(super) fn only_of_leases(fault: Option<Kind>) -> Disturbed {
    fault.filter(|fault| matches!(fault, Kind::EndLeases))
}

impl Kind {
    fn fault(self) -> Fault {
        match self {
            Self::Refuse => Fault::Refuse,
            Self::LoseAnswer => Fault::LoseAnswer,
            Self::Late(delay) => Fault::Late(delay),
            Self::Slow(delay) => Fault::Slow(delay),
            Self::Hang => Fault::Hang,
            Self::NoSpace { applied } => Fault::NoSpace { applied },
            Self::EndLeases => Fault::EndLeases,
            Self::DropWatches => Fault::DropWatches,
        }
    }
}
