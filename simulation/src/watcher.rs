use std::sync::Arc;

use futures::StreamExt;
use storage_core::kv::Revision;
use storage_core::{ChangeKind, WatchEvent};
use tokio::time::{Duration, Instant, sleep, timeout_at};

use crate::chance::{Chance, Part};
use crate::client::Client;
use crate::world::World;

/// What one watch has delivered.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    pub(crate) client: usize,
    pub(crate) path: &'static str,
    /// It begins after a revision between these two.
    pub(crate) after: (Revision, Revision),
    pub(crate) seen: Vec<Seen>,
    pub(crate) end: WatchEnd,
}

/// Something that a watch has delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Change(Revision, String, ChangeKind),
    Resync(Revision),
}

/// How a watch has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WatchEnd {
    /// It goes on, and has to deliver everything.
    GoesOn,
    /// Nobody listened any more.
    Dropped,
}

impl Watched {
    /// The revision from which on another watch can go on.
    fn reached(&self) -> Option<Revision> {
        self.seen.last().map(|seen| match seen {
            Seen::Change(revision, ..) | Seen::Resync(revision) => *revision,
        })
    }
}

/// Watches for a client, one watch after the other, until it is aborted.
pub(crate) async fn run(world: Arc<World>, client: Client) {
    let mut chance = Chance::of(world.seed, Part::Watcher, client.number);
    let mut reached: Option<Revision> = None;
    loop {
        sleep(chance.millis(0, 2_000)).await;
        let path = chance.pick(&["", "a", "c", "c/d", "g"]);
        let before = world.store.newest();
        let storage = client.storage.storage();
        let resumed = reached.filter(|_| chance.happens(700));
        let opened = match resumed {
            Some(revision) => storage.watch_after(path, revision).await,
            None => storage.watch(path).await,
        };
        let mut changes = match opened {
            Ok(changes) => changes,
            Err(error) if error.is_connection() => continue,
            Err(error) => return world.violation(format!("{} cannot watch: {error}", client.name)),
        };
        let after = match (resumed, world.store.revision().await) {
            (Some(revision), _) => (revision, revision),
            (None, Ok(now)) => (before, now),
            (None, Err(error)) => return world.violation(format!("the store cannot be read: {error}")),
        };
        let index = {
            let mut notes = world.notes();
            let watched =
                Watched { client: client.number, path, after, seen: Vec::new(), end: WatchEnd::GoesOn };
            notes.watched.push(watched);
            notes.watched.len() - 1
        };
        // Some go on for ever.
        let end = Instant::now() + chance.pick(&[Duration::from_secs(3), Duration::from_secs(86_400)]);
        let end = end + chance.millis(0, 5_000);
        while let Ok(item) = timeout_at(end, changes.next()).await {
            let (what, seen) = match item {
                Some(Ok(WatchEvent::Change { kind, path, version, .. })) => {
                    ("watches: changes", Seen::Change(version.revision(), path.to_string(), kind))
                }
                Some(Ok(WatchEvent::Resync { revision, .. })) => ("watches: resyncs", Seen::Resync(revision)),
                other => return world.violation(format!("a watch of {} has ended: {other:?}", client.name)),
            };
            world.note(what, || format!("{} watch {index} of {path:?}: {seen:?}", client.name));
            world.notes().watched[index].seen.push(seen);
        }
        let mut notes = world.notes();
        notes.watched[index].end = WatchEnd::Dropped;
        reached = notes.watched[index].reached().or(Some(after.1).filter(|_| resumed.is_some()));
    }
}
