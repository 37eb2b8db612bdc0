//! Reading and writing files.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use storage_core::kv::Revision;
use storage_core::{Error, ErrorKind, File, LoadOrStore, LockGuard, Metadata, Storage, Version};
use tokio::time::Instant;

use super::guards::State;
use super::listing::Shown;
use super::run::{Attempt, Client, Disturbed, Run, only_of_leases};
use super::steps::{Kind, Read, Trouble, Which, Write};
use crate::files::{Expected, Meta, Plan, Stat};

/// What a write answers.
#[derive(Debug)]
enum Reply {
    /// The metadata of the files that it has put.
    Stored(Vec<Metadata>),
    Deleted(u64),
    Loaded(File),
}

/// What a write has to do and to answer.
#[derive(Clone, Debug)]
enum Planned {
    Stores(Plan),
    Deletes(u64, Plan),
    Loads(Bytes, Meta),
}

/// For so long a handle that has written knows the revision that it needs.
const FRESH: Duration = Duration::from_secs(50);

/// Whether a write was applied, as its answer says.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Applied {
    Yes,
    No,
    Perhaps,
}

impl Run {
    /// Makes a write, also one that is fenced by a lock; whether more than that may have been disturbed.
    pub(super) async fn write(
        &mut self,
        client: usize,
        write: &Write,
        fence: Option<usize>,
        trouble: Option<Trouble>,
    ) -> Result<Disturbed, TestCaseError> {
        let write = &self.resolve(write);
        let mut expected = self.plan(write);
        let storage = self.storages[client].clone();
        let guard = fence.map(|number| &self.guards[number]);
        if let Some(held) = guard.filter(|held| held.state != State::Held) {
            // What is wrong with the paths may be said first.
            let mut kinds = vec![ErrorKind::LockLost];
            kinds.extend(expected.err().into_iter().flatten().filter(|_| held.state == State::Lost));
            expected = Err(kinds);
        }
        let attempt = match guard {
            Some(held) => self.attempt(client, trouble, make_fenced(&held.guard, write)).await,
            None => self.attempt(client, trouble, make(&storage, write)).await,
        };
        let fault = attempt.fault;
        // A handle that has not heard of the store for a minute asks first.
        let is_idle = self.written[client].is_none_or(|at| at.elapsed() > FRESH);
        let reads_before = is_idle || matches!(write, Write::Rename(..));
        let applied = self.judge(&expected, &attempt, fence.is_some(), reads_before)?;
        let reply = attempt.result.and_then(Result::ok);
        // A group of no files asks nobody.
        let is_nothing = matches!(write, Write::StoreMany(files) if files.is_empty());
        if reply.is_some() && !is_nothing {
            self.written[client] = Some(Instant::now());
        }
        if let (Some(reply), Ok(planned)) = (&reply, &expected) {
            fits(planned, reply)?;
        }
        if let Ok(Planned::Stores(plan) | Planned::Deletes(_, plan)) = expected {
            let version = self.look(&plan, reply.as_ref(), applied).await?;
            if let (Some(version), Some(fence)) = (version, fence) {
                let (task, then) = (self.guards[fence].task, self.raw.snapshot_at(version.revision()).await);
                let held = then.queues.values().filter_map(|places| places.first());
                let is_held = held.into_iter().any(|first| first.label == task.to_string());
                prop_assert!(is_held, "written at {} without the lock: {:?}", version, then.queues);
            }
        }
        Ok(only_of_leases(fault))
    }

    fn resolve(&self, write: &Write) -> Write {
        let Write::StoreIf(path, content, which) = write else { return write.clone() };
        let current = self.tree.meta.get(path.as_str()).map_or(Revision(1), |meta| meta.version.revision());
        let version = match which {
            Which::Current => current.0,
            Which::Earlier => current.0.saturating_sub(1),
            Which::Later => current.0 + 1,
        };
        Write::StoreVersion(path.clone(), content.clone(), Version::new(Revision(version)))
    }

    fn plan(&self, write: &Write) -> Expected<Planned> {
        let tree = &self.tree;
        let deletes = |(count, plan)| Planned::Deletes(count, plan);
        match write {
            Write::Store(path, content) => tree.store(path, content).map(Planned::Stores),
            Write::StoreMany(files) => tree.store_many(files).map(Planned::Stores),
            Write::Create(path, content) => tree.create(path, content).map(Planned::Stores),
            Write::StoreVersion(path, content, version) => {
                tree.store_if(path, content, *version).map(Planned::Stores)
            }
            Write::StoreIf(..) => unreachable!("it was resolved"),
            Write::LoadOrStore(path, content) => match tree.create(path, content) {
                Err(kinds) if kinds == [ErrorKind::AlreadyExists] => {
                    tree.load(path).map(|(content, meta)| Planned::Loads(content, meta))
                }
                planned => planned.map(Planned::Stores),
            },
            Write::Delete(path) => tree.delete(path).map(deletes),
            Write::DeleteFile(path) => tree.delete_file(path).map(deletes),
            Write::DeleteAll => Ok(deletes(tree.delete_all())),
            Write::Rename(from, to) => tree.rename(from, to).map(Planned::Stores),
        }
    }

    /// Whether a write was applied, going by its answer, which must be one that it can have.
    fn judge(
        &self,
        expected: &Expected<Planned>,
        attempt: &Attempt<Reply>,
        is_fenced: bool,
        reads_before: bool,
    ) -> Result<Applied, TestCaseError> {
        let Attempt { result, fault, .. } = attempt;
        match (result, expected, fault) {
            (Some(Ok(_)), Ok(_), _) => return Ok(Applied::Yes),
            (Some(Err(error)), Err(kinds), _) if kinds.contains(&error.kind()) => return Ok(Applied::No),
            (None, _, Some(Kind::Hang)) => return Ok(Applied::Perhaps),
            (Some(Err(error)), _, Some(fault)) => {
                let is_refused = match (error.kind(), fault) {
                    (ErrorKind::LockLost, Kind::EndLeases) => is_fenced,
                    // Not of the write itself, but of what is read before.
                    (ErrorKind::Timeout, Kind::LoseAnswer | Kind::Late(_)) => reads_before,
                    (ErrorKind::Unavailable, Kind::Refuse)
                    | (ErrorKind::Timeout, Kind::Hang)
                    | (ErrorKind::NoSpace, Kind::NoSpace { .. }) => true,
                    _ => false,
                };
                let is_open = error.is_outcome_unknown()
                    && match fault {
                        Kind::Hang | Kind::NoSpace { .. } => true,
                        // What the store has forgotten cannot be found out.
                        Kind::LoseAnswer | Kind::Late(_) => self.compacted > Revision::ZERO,
                        _ => false,
                    };
                if is_refused || is_open {
                    return Ok(if is_open { Applied::Perhaps } else { Applied::No });
                }
            }
            _ => {}
        }
        Err(TestCaseError::fail(format!("{result:?} with {fault:?}, expected {expected:?}")))
    }

    /// Looks whether the store shows what was answered, all of a write or nothing; goes on with what it shows. Answers
    /// the version of what has changed.
    async fn look(
        &mut self,
        plan: &Plan,
        reply: Option<&Reply>,
        applied: Applied,
    ) -> Result<Option<Version>, TestCaseError> {
        let snapshot = self.raw.snapshot().await;
        let is_old = snapshot.tree == self.tree.without_times();
        let mut new = self.tree.clone();
        let version = match (reply, plan.puts.first()) {
            (Some(reply @ Reply::Stored(_)), _) => Some(stored_version(reply)),
            (_, Some((path, _, _))) => snapshot.tree.meta.get(path).map(|meta| meta.version),
            (_, None) => {
                new.apply(plan, Version::new(Revision::ZERO));
                let first = self.raw.first_with(&new.without_times(), self.seen, snapshot.revision).await;
                first.map(Version::new)
            }
        };
        if let Some(version) = version {
            new.apply(plan, version);
        }
        let is_new = snapshot.tree == new.without_times();
        let fits = match applied {
            Applied::Yes => is_new,
            Applied::No => is_old,
            Applied::Perhaps => is_old || is_new,
        };
        prop_assert!(
            fits,
            "{:?} applied, old is {:?}, planned {:?}, there is {:?}",
            applied,
            self.tree,
            plan,
            snapshot
        );
        let Some(version) = version.filter(|_| is_new && !is_old) else { return Ok(None) };
        let last = self.log.last().map(|change| change.version);
        prop_assert!(last.is_none_or(|last| version > last), "version {} after {:?}", version, last);
        prop_assert!(version.revision() <= snapshot.revision, "version {} is not there yet", version);
        for (number, (path, _, modified)) in plan.puts.iter().enumerate() {
            let told = match reply {
                Some(Reply::Stored(stored)) => stored[number].modified,
                _ => match self.storages[0].stat(path).await {
                    Ok(metadata) => modified.unwrap_or(metadata.modified),
                    Err(error) => return Err(TestCaseError::fail(format!("what is {path:?}? {error:?}"))),
                },
            };
            if let Some(meta) = new.meta.get_mut(path) {
                meta.tell_time(told);
            }
        }
        self.change(new, version);
        Ok(Some(version))
    }

    /// Makes a read.
    pub(super) async fn read(
        &mut self,
        client: usize,
        read: &Read,
        trouble: Option<Trouble>,
    ) -> Result<Disturbed, TestCaseError> {
        let storage = self.storages[client].clone();
        let tree = &self.tree;
        let fault = match read {
            Read::Load(path) => {
                let read = self.attempt(client, trouble, storage.load_file(path)).await;
                let expected = tree.load(path).and_then(|(content, meta)| Ok((content, meta.stat()?)));
                compare(read, expected, |file| (file.content, Stat::of(&file.metadata)))?
            }
            Read::LoadMany(paths) => {
                let read = self.attempt(client, trouble, storage.load_many(paths)).await;
                let is_path = |path: &String| crate::files::file_path(path).map(drop);
                let each = paths.iter().map(|path| match tree.load(path) {
                    Ok((content, meta)) => Ok((content, meta.version)),
                    Err(kinds) => Err(kinds[0]),
                });
                let expected = paths.iter().try_for_each(is_path).map(|()| each.collect::<Vec<_>>());
                compare(read, expected, |files| {
                    let files = files.into_iter().map(|file| match file {
                        Ok(file) => Ok((file.content, file.metadata.version)),
                        Err(error) => Err(error.kind()),
                    });
                    files.collect::<Vec<_>>()
                })?
            }
            Read::Stat(path) => {
                let read = self.attempt(client, trouble, storage.stat(path)).await;
                compare(read, tree.stat(path), |metadata| Stat::of(&metadata))?
            }
            Read::Exists(path) => {
                let read = self.attempt(client, trouble, storage.exists(path)).await;
                compare(read, tree.exists(path), |exists| exists)?
            }
            Read::List(path, listing) => {
                let read = self.attempt(client, trouble, storage.list(path, listing.options())).await;
                compare(read, tree.list(path, listing), |entries| {
                    entries.iter().map(Shown::of).collect::<Vec<_>>()
                })?
            }
        };
        Ok(only_of_leases(fault))
    }
}

/// Compares what a write has answered.
fn fits(planned: &Planned, reply: &Reply) -> Result<(), TestCaseError> {
    match (planned, reply) {
        (Planned::Deletes(expected, _), Reply::Deleted(count)) => prop_assert_eq!(count, expected),
        (Planned::Loads(content, meta), Reply::Loaded(file)) => {
            prop_assert_eq!(&file.content, content);
            prop_assert_eq!(Ok(Stat::of(&file.metadata)), meta.stat());
        }
        (Planned::Stores(plan), Reply::Stored(stored)) => {
            prop_assert_eq!(stored.len(), plan.puts.len());
            for ((path, content, modified), stored) in plan.puts.iter().zip(stored) {
                prop_assert_eq!(stored.path.as_str(), path);
                prop_assert_eq!(stored.version, stored_version(reply));
                prop_assert!(!stored.is_dir() && stored.size == content.len() as u64, "{:?}", stored);
                prop_assert_eq!(stored.sha1, Some(storage_core::Sha1Digest::of(content)));
                prop_assert_eq!(stored.modified, modified.unwrap_or(stored.modified));
            }
        }
        _ => prop_assert!(false, "{:?} answers {:?}", planned, reply),
    }
    Ok(())
}

/// Compares what was read; which fault there was.
fn compare<T, U: std::fmt::Debug + PartialEq>(
    read: Attempt<T>,
    expected: Expected<U>,
    shown: impl FnOnce(T) -> U,
) -> Result<Option<Kind>, TestCaseError> {
    let fault = read.fault;
    match (read.result.map(|result| result.map(shown)), expected) {
        (Some(Ok(read)), Ok(expected)) => prop_assert_eq!(read, expected),
        (Some(Err(error)), Err(kinds)) if kinds.contains(&error.kind()) => {}
        (Some(Err(error)), _) if is_outage(&error, fault) => {}
        (None, _) if matches!(fault, Some(Kind::Hang)) => {}
        (read, expected) => prop_assert!(false, "{:?} with {:?}, expected {:?}", read, fault, expected),
    }
    Ok(fault)
}

/// Whether this is what a call that changes nothing answers after such a fault.
pub(super) fn is_outage(error: &Error, fault: Option<Kind>) -> bool {
    matches!(
        (error.kind(), fault),
        (ErrorKind::Unavailable, Some(Kind::Refuse))
            | (ErrorKind::Timeout, Some(Kind::LoseAnswer | Kind::Late(_) | Kind::Hang | Kind::Slow(_)))
            | (ErrorKind::NoSpace, Some(Kind::NoSpace { .. }))
    )
}

fn stored_version(reply: &Reply) -> Version {
    match reply {
        Reply::Stored(stored) => stored.first().map_or(Version::new(Revision::ZERO), |file| file.version),
        Reply::Deleted(_) | Reply::Loaded(_) => Version::new(Revision::ZERO),
    }
}

async fn make(storage: &Storage<Client>, write: &Write) -> Result<Reply, Error> {
    let stored = |metadata| Reply::Stored(vec![metadata]);
    Ok(match write.clone() {
        Write::Store(path, content) => stored(storage.store(&path, content).await?),
        Write::StoreMany(files) => Reply::Stored(storage.store_many(files).await?),
        Write::Create(path, content) => stored(storage.create(&path, content).await?),
        Write::StoreVersion(path, content, version) => {
            stored(storage.store_if(&path, content, version).await?)
        }
        Write::StoreIf(..) => unreachable!("it was resolved"),
        Write::LoadOrStore(path, content) => match storage.load_or_store(&path, content).await? {
            LoadOrStore::Loaded(file) => Reply::Loaded(file),
            LoadOrStore::Stored(file) => stored(file.metadata),
        },
        Write::Delete(path) => Reply::Deleted(storage.delete(&path).await?),
        Write::DeleteFile(path) => Reply::Deleted(storage.delete_file(&path).await?),
        Write::DeleteAll => Reply::Deleted(storage.delete_all().await?),
        Write::Rename(from, to) => stored(storage.rename(&from, &to).await?),
    })
}

async fn make_fenced(guard: &LockGuard<Client>, write: &Write) -> Result<Reply, Error> {
    let stored = |metadata| Reply::Stored(vec![metadata]);
    Ok(match write.clone() {
        Write::StoreMany(files) => Reply::Stored(guard.store_many(files).await?),
        Write::Delete(path) => Reply::Deleted(guard.delete(&path).await?),
        Write::Rename(from, to) => stored(guard.rename(&from, &to).await?),
        Write::Store(path, content) => stored(guard.store(&path, content).await?),
        other => unreachable!("a guard has no {other:?}"),
    })
}
