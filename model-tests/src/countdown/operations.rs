//! The operations, each with what it changes and answers in words that are the same each time.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, SystemTime};

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt};
use storage_core::kv::Revision;
use storage_core::{
    ChangeStream, DirEntry, Error, ListItem, ListOptions, LoadOrStore, LockOptions, Metadata, Replaces,
    Storage, StoreOptions, VerifyItem, VerifyOptions, Version, WatchEvent,
};

use super::scene::Scene;
use super::scene::Start::{self, Contended, Empty, Files, Locked};

/// An operation in a situation.
pub(super) struct Operation {
    /// `Type::method`.
    pub(super) name: &'static str,
    pub(super) start: Start,
    /// Whether somebody else writes meanwhile, so that the tree is another one whatever becomes of the operation.
    pub(super) others_write: bool,
    pub(super) run: for<'s> fn(&'s mut Scene) -> BoxFuture<'s, Result<String, Error>>,
}

impl Operation {
    /// Whether it writes only while its lock is held.
    pub(super) fn is_fenced(&self) -> bool {
        let fenced = ["LockGuard::store", "LockGuard::store_many", "LockGuard::delete", "LockGuard::rename"];
        fenced.contains(&self.name)
    }
}

/// A line of the table: the method, the situation, and what is done.
macro_rules! operation {
    ($name:literal, $start:expr, |$scene:ident| $body:expr) => {
        Operation {
            name: $name,
            start: $start,
            others_write: false,
            run: |$scene: &mut Scene| async move { Ok($body) }.boxed(),
        }
    };
}

/// The same for one during which somebody else writes.
macro_rules! following {
    ($name:literal, $start:expr, |$scene:ident| $body:expr) => {
        Operation { others_write: true, ..operation!($name, $start, |$scene| $body) }
    };
}

pub(super) const OPERATIONS: &[Operation] = &[
    operation!("Storage::open", Files, |scene| {
        scene.tree = Storage::open(Arc::clone(&scene.faulty), scene.options.clone()).await?;
        String::new()
    }),
    operation!("Storage::store", Empty, |scene| shown(&[scene.tree.store("a", "new").await?])),
    operation!("Storage::store", Files, |scene| shown(&[scene.tree.store("a", "new").await?])),
    operation!("Storage::create", Empty, |scene| shown(&[scene.tree.create("b", "new").await?])),
    operation!("Storage::create", Files, |scene| shown(&[scene.tree.create("b", "new").await?])),
    operation!("Storage::store_if", Files, |scene| {
        let version = Version::new(Revision(first_version(scene)));
        shown(&[scene.tree.store_if("a", "new", version).await?])
    }),
    operation!("Storage::store_with", Files, |scene| {
        let options = StoreOptions::new().with_modified(SystemTime::UNIX_EPOCH);
        shown(&[scene.tree.store_with("b", "new", options.with_replaces(Replaces::Nothing)).await?])
    }),
    operation!("Storage::store_with", Locked, |scene| {
        let options = StoreOptions::new().with_modified(SystemTime::UNIX_EPOCH);
        let version = Version::new(Revision(first_version(scene)));
        shown(&[scene.tree.store_with("a", "new", options.with_replaces(Replaces::Version(version))).await?])
    }),
    operation!("Storage::verify", Files, |scene| {
        let items: Vec<_> = scene.tree.verify("", VerifyOptions::new()).try_collect().await?;
        let (mut whole, mut wrong) = (Vec::new(), Vec::new());
        for item in items {
            match item {
                VerifyItem::Whole(metadata) => whole.push(metadata),
                other => wrong.push(other),
            }
        }
        format!("{} and {wrong:?}", shown(&whole))
    }),
    operation!("Storage::quarantined", Files, |scene| format!("{:?}", scene.tree.quarantined().await?)),
    operation!("Storage::survey", Files, |scene| {
        let survey = scene.tree.survey().await?;
        format!("{} and {:?}", shown(&survey.files), survey.findings)
    }),
    operation!("Storage::load_or_store", Files, |scene| match scene.tree.load_or_store("b", "new").await? {
        LoadOrStore::Stored(file) => shown(&[file.metadata]),
        LoadOrStore::Loaded(file) => format!("loaded {:?}", file.content),
    }),
    operation!("Storage::load_or_store", Locked, |scene| match scene.tree.load_or_store("a", "new").await? {
        LoadOrStore::Stored(file) => shown(&[file.metadata]),
        LoadOrStore::Loaded(file) => format!("loaded {:?}", file.content),
    }),
    operation!("Storage::store_many", Empty, |scene| {
        shown(&scene.tree.store_many([("a", "new a"), ("b", "new b"), ("dir/1", "new 1")]).await?)
    }),
    operation!("Storage::store_many", Files, |scene| {
        shown(&scene.tree.store_many([("a", "new a"), ("b", "new b"), ("dir/1", "new 1")]).await?)
    }),
    operation!("Storage::delete", Files, |scene| scene.tree.delete("dir").await?.to_string()),
    operation!("Storage::delete", Empty, |scene| scene.tree.delete("dir").await?.to_string()),
    operation!("Storage::delete_file", Files, |scene| scene.tree.delete_file("a").await?.to_string()),
    operation!("Storage::delete_all", Files, |scene| scene.tree.delete_all().await?.to_string()),
    operation!("Storage::rename", Files, |scene| shown(&[scene.tree.rename("a", "b").await?])),
    operation!("Storage::load", Files, |scene| format!("{:?}", scene.tree.load("a").await?)),
    operation!("Storage::load_file", Files, |scene| shown(&[scene.tree.load_file("a").await?.metadata])),
    operation!("Storage::load_many", Files, |scene| {
        let files = scene.tree.load_many(["a", "dir", "nothing", "dir/1"]).await?.into_iter();
        let files = files.map(|file| file.map(|file| file.content).map_err(|error| error.kind()));
        format!("{:?}", files.collect::<Vec<_>>())
    }),
    operation!("Storage::exists", Files, |scene| scene.tree.exists("dir").await?.to_string()),
    operation!("Storage::stat", Files, |scene| shown(&[scene.tree.stat("dir").await?])),
    operation!("Storage::list", Files, |scene| {
        entries(&scene.tree.list("", ListOptions::descendants().with_metadata()).await?)
    }),
    operation!("Storage::list_stream", Files, |scene| {
        let items: Vec<_> = scene.tree.list_stream("dir", ListOptions::children()).try_collect().await?;
        let items = items.into_iter().filter_map(|item| match item {
            ListItem::Entry(entry) => Some(entry),
            ListItem::StartOver => None,
        });
        entries(&items.collect::<Vec<_>>())
    }),
    following!("Storage::watch", Files, |scene| {
        let mut changes = scene.tree.watch("").await?;
        scene.other.store("watched", "1").await?;
        scene.other.store("watched", "2").await?;
        events(&mut changes, 2).await?
    }),
    following!("Storage::watch_after", Locked, |scene| {
        let mut changes = scene.tree.watch_after("", Revision(0)).await?;
        scene.other.store("watched", "1").await?;
        events(&mut changes, 4).await?
    }),
    operation!("Storage::lock", Empty, |scene| {
        let guard = scene.tree.lock("l").await?;
        scene.guards.push(guard);
        String::new()
    }),
    operation!("Storage::lock", Locked, |scene| {
        let guard = scene.tree.lock("m").await?;
        scene.guards.push(guard);
        String::new()
    }),
    operation!("Storage::lock", Contended, |scene| {
        let guard = scene.tree.lock("l").await?;
        assert!(!scene.is_other_inside.load(SeqCst), "two are inside");
        scene.guards.push(guard);
        String::new()
    }),
    operation!("Storage::lock_with", Contended, |scene| {
        let options = LockOptions::new().with_deadline(Duration::from_secs(2));
        let late = scene.tree.lock_with("l", options).await.expect_err("somebody else has it");
        assert!(scene.is_other_inside.load(SeqCst), "it should give up before: {late:?}");
        String::new()
    }),
    operation!("Storage::try_lock", Files, |scene| {
        let guard = scene.tree.try_lock("l").await?;
        let is_some = guard.is_some();
        scene.guards.extend(guard);
        is_some.to_string()
    }),
    operation!("Storage::try_lock_with", Contended, |scene| {
        let options = LockOptions::new().with_deadline(Duration::from_secs(2));
        let guard = scene.tree.try_lock_with("l", options).await?;
        assert!(guard.is_none(), "two are inside");
        String::new()
    }),
    operation!("Storage::unlock", Locked, |scene| {
        scene.tree.unlock("l").await?;
        String::new()
    }),
    operation!("Storage::locks", Locked, |scene| {
        let locks = scene.tree.locks().await?;
        locks.iter().map(|lock| format!("{} {}", lock.name, lock.position)).collect::<Vec<_>>().join(", ")
    }),
    operation!("Storage::break_lock", Locked, |scene| {
        scene.tree.break_lock("l").await?.map_or_else(String::new, |broken| broken.name)
    }),
    operation!("Storage::break_lock", Files, |scene| {
        let guard = scene.other.lock("l").await?;
        let broken = scene.tree.break_lock("l").await;
        drop(guard);
        broken?.map_or_else(String::new, |broken| broken.name)
    }),
    operation!("Storage::close", Locked, |scene| {
        scene.tree.close().await?;
        String::new()
    }),
    operation!("LockGuard::renew", Locked, |scene| {
        scene.guards[0].renew().await?;
        String::new()
    }),
    operation!("LockGuard::lost", Locked, |scene| {
        scene.tree.break_lock("l").await?;
        scene.guards[0].lost().await;
        String::new()
    }),
    operation!("LockGuard::unlock", Locked, |scene| {
        let guard = scene.guards.remove(0);
        guard.unlock().await?;
        String::new()
    }),
    operation!("LockGuard::drop", Locked, |scene| {
        scene.guards.clear();
        tokio::time::sleep(Duration::from_millis(100)).await;
        String::new()
    }),
    operation!("LockGuard::store", Locked, |scene| shown(&[scene.guards[0].store("a", "new").await?])),
    operation!("LockGuard::store_many", Locked, |scene| {
        shown(&scene.guards[0].store_many([("a", "new a"), ("b", "new b")]).await?)
    }),
    operation!("LockGuard::delete", Locked, |scene| scene.guards[0].delete("dir").await?.to_string()),
    operation!("LockGuard::rename", Locked, |scene| shown(&[scene.guards[0].rename("a", "b").await?])),
];

/// The version of the files that there are in the beginning: the change behind that of the format.
fn first_version(_: &Scene) -> u64 {
    2
}

/// What of metadata is the same each time.
fn shown(metadata: &[Metadata]) -> String {
    let mut text = String::new();
    for file in metadata {
        let Metadata { path, size, sha1, .. } = file;
        let _ = write!(text, "{path} of {size} {sha1:?};");
    }
    text
}

fn entries(entries: &[DirEntry]) -> String {
    let mut text = String::new();
    for entry in entries {
        let size = entry.metadata.as_ref().map(|metadata| metadata.as_ref().map(|file| file.size).ok());
        let _ = write!(text, "{} {:?} {size:?};", entry.path, entry.kind);
    }
    text
}

/// The next so many events.
async fn events(changes: &mut ChangeStream, count: usize) -> Result<String, Error> {
    let mut text = String::new();
    for _ in 0..count {
        match changes.next().await.transpose()? {
            Some(WatchEvent::Change { kind, path, .. }) => {
                let _ = write!(text, "{kind:?} {path};");
            }
            other => {
                let _ = write!(text, "{other:?};");
            }
        }
    }
    Ok(text)
}
