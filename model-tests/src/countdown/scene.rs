//! The situation in which an operation is tried, and what must hold afterwards.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use bytes::Bytes;
use storage_conformance::TestStore;
use storage_conformance::decorate::Faulty;
use storage_core::kv::{KvBackend, Revision};
use storage_core::{Error, ErrorKind, KeyPrefix, LockGuard, Storage, StorageOptions};
use tokio::time::{sleep, timeout};

use super::Trial;
use super::operations::Operation;
use crate::files::Tree;
use crate::raw::Raw;

pub(super) type Client = Arc<Faulty<Arc<dyn KvBackend>>>;

pub(super) const LOCK_TIMEOUT: Duration = Duration::from_secs(10);
/// The time that everything in the background takes unless something is broken.
const SOON: Duration = Duration::from_secs(3);

/// What there is before the operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Start {
    /// Nothing, not even a format.
    Empty,
    /// Some files.
    Files,
    /// Some files, and a lock `l` of the storage that is tried.
    Locked,
    /// Some files, and a lock `l` of somebody else's that is released after a while.
    Contended,
}

/// Files by path.
pub(super) type Contents = BTreeMap<String, Bytes>;

/// What became of an operation.
#[derive(Debug)]
pub(super) struct Played {
    /// Its answer in words, `None` if it was dropped.
    pub(super) answer: Option<Result<String, Error>>,
    /// The files afterwards, where nothing went wrong.
    pub(super) contents: Contents,
}

/// A tree with the storage that is tried and another one, which nothing disturbs.
pub(super) struct Scene {
    raw: Raw,
    pub(super) faulty: Client,
    pub(super) tree: Storage<Client>,
    pub(super) other: Storage<Arc<dyn KvBackend>>,
    pub(super) options: StorageOptions,
    /// The guards that the storage that is tried has.
    pub(super) guards: Vec<LockGuard<Client>>,
    /// Whether the other one acts as the holder of `l`.
    pub(super) is_other_inside: Arc<AtomicBool>,
    _store: Box<dyn TestStore>,
}

impl Scene {
    pub(super) async fn set(store: Box<dyn TestStore>, start: Start) -> Self {
        let prefix = KeyPrefix::parse(&format!("{}tree", store.prefix())).expect("a plain prefix");
        let options = StorageOptions::new().with_prefix(prefix.clone()).with_lock_timeout(LOCK_TIMEOUT);
        let faulty: Client = Arc::new(Faulty::new(store.client().await));
        let tree = Storage::open(Arc::clone(&faulty), options.clone()).await.expect("nothing disturbs it");
        let other = Storage::open(store.client().await, options.clone()).await.expect("nothing disturbs it");
        let raw = Raw::new(store.client().await, prefix);
        let is_other_inside = Arc::default();
        let mut scene =
            Self { raw, faulty, tree, other, options, guards: Vec::new(), is_other_inside, _store: store };
        scene.prepare(start).await;
        scene
    }

    async fn prepare(&mut self, start: Start) {
        if start == Start::Empty {
            return;
        }
        let files = [("a", "old a"), ("dir/1", "old 1"), ("dir/2", "old 2")];
        self.tree.store_many(files).await.expect("nothing disturbs it");
        match start {
            Start::Empty | Start::Files => {}
            Start::Locked => self.guards.push(self.tree.lock("l").await.expect("nothing disturbs it")),
            Start::Contended => {
                let guard = self.other.lock("l").await.expect("nothing disturbs it");
                let is_inside = Arc::clone(&self.is_other_inside);
                is_inside.store(true, SeqCst);
                tokio::spawn(async move {
                    sleep(SOON).await;
                    is_inside.store(false, SeqCst);
                    guard.unlock().await.expect("it was held all the time");
                });
            }
        }
        // What goes on in the background has come to rest.
        sleep(Duration::from_millis(100)).await;
    }

    /// Plays the operation where nothing goes wrong.
    pub(super) async fn play(mut self, operation: &Operation) -> Played {
        let played = self.play_within(operation, Duration::from_secs(60)).await;
        assert!(
            matches!(played.answer, Some(Ok(_))),
            "{} where nothing goes wrong: {played:?}",
            operation.name
        );
        played
    }

    pub(super) async fn play_within(&mut self, operation: &Operation, patience: Duration) -> Played {
        let answer = timeout(patience, (operation.run)(self)).await.ok();
        Played { answer, contents: self.contents().await }
    }

    /// The files, each of which must be whole.
    pub(super) async fn contents(&self) -> Contents {
        contents(&self.raw.snapshot().await.tree)
    }

    /// The tree is the old or the new one, and the answer says which.
    pub(super) async fn check_outcome(
        &self,
        trial: &Trial<'_>,
        old: &Contents,
        played: &Played,
        fair: &Played,
    ) {
        let now = self.contents().await;
        let (is_old, is_new) = (now == *old, now == fair.contents);
        let is_between = trial.operation.others_write && played.answer.as_ref().is_none_or(Result::is_err);
        assert!(is_old || is_new || is_between, "{trial}: torn: {now:?}, answered {:?}", played.answer);
        match &played.answer {
            None => {}
            Some(Ok(answer)) => {
                if trial.operation.is_fenced() && is_new && !is_old {
                    self.check_fence(trial, &now).await;
                }
                assert!(is_new, "{trial}: answered {answer:?}, but there is {now:?}");
                let Some(Ok(expected)) = &fair.answer else { unreachable!("it was asserted") };
                // Of a lease that has ended no lock is left to be shown.
                let is_expected = answer == expected || (trial.blow.ends_leases() && answer.is_empty());
                assert!(is_expected, "{trial}: answered {answer:?}, not {expected:?}");
            }
            Some(Err(error)) => {
                let may_be = matches!(
                    error.kind(),
                    ErrorKind::Unavailable
                        | ErrorKind::Timeout
                        | ErrorKind::OutcomeUnknown
                        | ErrorKind::NoSpace
                        | ErrorKind::LockLost
                        | ErrorKind::LockTimeout
                );
                assert!(may_be, "{trial}: {error:?}");
                let may_be_new = error.is_outcome_unknown() || trial.operation.others_write;
                assert!(is_old || may_be_new, "{trial}: {error:?}, but there is {now:?}");
            }
        }
    }

    /// When the files became these the lock was held.
    async fn check_fence(&self, trial: &Trial<'_>, files: &Contents) {
        for revision in 1..=self.raw.newest().await.0 {
            let snapshot = self.raw.snapshot_at(Revision(revision)).await;
            if contents(&snapshot.tree) == *files {
                assert!(snapshot.queues.contains_key("l"), "{trial}: written without the lock");
                return;
            }
        }
    }

    /// Who believes to have a lock has it, and nobody else; every place has an owner.
    pub(super) async fn check_locks(&mut self, trial: &Trial<'_>) {
        let snapshot = self.raw.snapshot().await;
        for places in snapshot.queues.values() {
            for place in places {
                assert!(snapshot.sessions.contains(&place.session), "{trial}: a place without a session");
            }
        }
        let others = usize::from(self.is_other_inside.load(SeqCst));
        let held: Vec<_> = self.guards.iter().filter(|guard| guard.is_held()).collect();
        let places: usize = snapshot.queues.values().map(Vec::len).sum();
        assert_eq!(places, held.len() + others, "{trial}: {:?} for {held:?}", snapshot.queues);
        for guard in held {
            let first = &snapshot.queues[guard.name()][0];
            assert_eq!(first.token, guard.token().get(), "{trial}: {guard:?} is not the first");
            let tried = self.other.try_lock(guard.name()).await.expect("nothing disturbs it");
            assert!(tried.is_none(), "{trial}: held twice");
        }
        // Who has lost a lock cannot write.
        for guard in self.guards.iter().filter(|guard| !guard.is_held()) {
            let refused = guard.store("fenced", "x").await.map_err(|error| error.kind());
            assert_eq!(refused.map(drop), Err(ErrorKind::LockLost), "{trial}");
        }
    }

    /// Both storages can be used.
    pub(super) async fn check_use(&mut self, trial: &Trial<'_>) {
        self.guards.clear();
        // Also if it was closed, or never opened.
        if self.tree.watch("").await.is_err() {
            self.tree = Storage::open(Arc::clone(&self.faulty), self.options.clone())
                .await
                .unwrap_or_else(|error| panic!("{trial}: {error:?}"));
        }
        let used = async {
            self.tree.store("used", "by the one").await?;
            let guard = self.tree.lock("l").await?;
            guard.store("used", "with a lock").await?;
            assert_eq!(self.other.load("used").await?, "with a lock", "{trial}");
            guard.unlock().await?;
            self.other.lock("l").await?.unlock().await?;
            assert_eq!(self.other.delete("used").await?, 1, "{trial}");
            assert!(!self.tree.exists("used").await?, "{trial}");
            Ok::<_, Error>(())
        };
        match timeout(Duration::from_secs(60), used).await {
            Ok(Ok(())) => {}
            other => panic!("{trial}: it cannot be used any more: {other:?}"),
        }
    }

    /// With the storages all of their locks and sessions are gone.
    pub(super) async fn check_nothing_is_left(&self, trial: &Trial<'_>) {
        self.tree.close().await.unwrap_or_else(|error| panic!("{trial}: {error:?}"));
        self.other.close().await.unwrap_or_else(|error| panic!("{trial}: {error:?}"));
        let snapshot = self.raw.snapshot().await;
        assert!(snapshot.queues.is_empty(), "{trial}: left behind: {:?}", snapshot.queues);
        assert!(snapshot.sessions.is_empty(), "{trial}: left behind: {:?}", snapshot.sessions);
    }
}

fn contents(tree: &Tree) -> Contents {
    let paths: Vec<_> = tree.meta.keys().collect();
    assert_eq!(paths, tree.data.keys().collect::<Vec<_>>(), "content and metadata");
    tree.meta.keys().map(|path| (path.clone(), tree.load(path).expect("a whole file").0)).collect()
}
