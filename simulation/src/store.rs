use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::{StreamExt, TryStreamExt};
use kv_memory::MemoryBackend;
use storage_core::kv::{
    BackendError, Entry, Event, Key, KeyRange, KvBackend, KvBackendExt, LeaseId, RangeRequest, Revision,
};

use crate::locks::Places;
use crate::world::World;

/// The store of a simulation: what the clients see of it, and a way to it on which nothing goes wrong.
pub(crate) struct Store {
    memory: MemoryBackend,
    shown: Arc<dyn KvBackend>,
    /// What the newest revision was when somebody looked last.
    newest: AtomicU64,
}

impl Store {
    /// An empty store, which clients see through something.
    pub(crate) fn new(wrap: impl FnOnce(MemoryBackend) -> Arc<dyn KvBackend>) -> Self {
        let memory = MemoryBackend::new();
        Self { shown: wrap(memory.clone()), memory, newest: AtomicU64::new(0) }
    }

    /// What clients see.
    pub(crate) fn shown(&self) -> Arc<dyn KvBackend> {
        Arc::clone(&self.shown)
    }

    pub(crate) fn memory(&self) -> &MemoryBackend {
        &self.memory
    }

    /// The newest revision, without waiting: as of the last change that was written down.
    pub(crate) fn newest(&self) -> Revision {
        Revision(self.newest.load(Ordering::Relaxed))
    }

    /// The newest revision.
    pub(crate) async fn revision(&self) -> Result<Revision, BackendError> {
        Ok(self.memory.range(RangeRequest::new(KeyRange::single(Key::new("/")))).await?.revision)
    }

    /// The lease of this number, counted from the first.
    pub(crate) async fn revoke(&self, number: u64) -> Result<(), BackendError> {
        let lease = i64::try_from(number).ok().and_then(LeaseId::new).expect("a small number");
        self.memory.revoke(lease).await
    }

    /// What lies below something now.
    pub(crate) async fn entries(&self, prefix: String) -> Result<Vec<Entry>, BackendError> {
        self.memory.scan(RangeRequest::new(KeyRange::prefix(prefix))).try_collect().await
    }

    /// Writes every change of the store into the trace, as it happens.
    pub(crate) async fn observe(world: Arc<World>) {
        let changes = world.store.memory.watch(KeyRange::prefix(""), Revision::ZERO).await;
        let mut changes = match changes {
            Ok(changes) => changes,
            Err(error) => return world.violation(format!("the store cannot be watched: {error}")),
        };
        let mut places = Places::default();
        loop {
            match changes.next().await {
                Some(Ok(batch)) => {
                    world.store.newest.store(batch.revision.0, Ordering::Relaxed);
                    for event in &batch.events {
                        world.look_at(&places.see(event));
                        world.notes().trace.add(format!("revision {}: {}", batch.revision, shown(event)));
                    }
                }
                Some(Err(error)) => return world.violation(format!("the store cannot be watched: {error}")),
                None => return,
            }
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("memory", &self.memory).finish_non_exhaustive()
    }
}

fn shown(event: &Event) -> String {
    match event {
        Event::Put(entry) => format!("put {}", shown_entry(entry)),
        Event::Delete { key, .. } => format!("delete {}", String::from_utf8_lossy(key.as_bytes())),
    }
}

/// An entry, without the names of this machine and process.
pub(crate) fn shown_entry(entry: &Entry) -> String {
    let value = String::from_utf8_lossy(&entry.value);
    let value = match (value.find("\"host\":"), value.find("\"since\":")) {
        (Some(host), Some(since)) if host < since => format!("{}{}", &value[..host], &value[since..]),
        _ => value.into_owned(),
    };
    let lease = entry.lease.map_or_else(String::new, |lease| format!(" with {lease}"));
    let (key, created) = (String::from_utf8_lossy(entry.key.as_bytes()), entry.create_revision);
    format!("{key} of {created}{lease}: {value}")
}
