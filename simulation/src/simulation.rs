use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kv_memory::MemoryBackend;
use storage_conformance::history::{Log, check_revisions};
use storage_core::kv::{BackendError, Key, KvBackend, KvBackendExt, Revision};
use storage_core::{KeyPrefix, ListOptions, LockOptions, Storage, StorageOptions};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use crate::client::{Client, Slot};
use crate::counts::Counts;
use crate::events::Events;
use crate::locks;
use crate::store::{Store, shown_entry};
use crate::watches;
use crate::world::World;

/// What a simulation has shown.
#[derive(Clone, Debug)]
pub struct Run {
    /// The seed.
    pub seed: u64,
    /// What must not have happened, and has: what was expected and what was seen.
    pub violations: Vec<String>,
    /// How often what happened.
    pub counts: Counts,
    /// Everything that happened, with simulated times in seconds.
    pub trace: Vec<String>,
    /// A digest of the trace, in hexadecimal.
    pub digest: String,
}

impl Run {
    /// A run of which nothing is left but why.
    pub(crate) fn failed(seed: u64, violation: String) -> Self {
        Self {
            seed,
            violations: vec![violation],
            counts: Counts::default(),
            trace: Vec::new(),
            digest: String::new(),
        }
    }
}

/// Runs the simulation of a seed.
///
/// # Panics
///
/// When something in it panics.
pub fn run(seed: u64) -> Run {
    run_on(seed, |store| Arc::new(store))
}

/// Runs the simulation of a seed on a store that its clients see through something: to show that it finds out a store
/// that is broken on purpose.
///
/// # Panics
///
/// When something in it panics.
pub fn run_on(seed: u64, wrap: impl FnOnce(MemoryBackend) -> Arc<dyn KvBackend>) -> Run {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime of one thread needs nothing that can be missing");
    runtime.block_on(async {
        let world = World::new(seed, Store::new(wrap));
        if let Err(error) = simulate(&world).await {
            world.violation(format!("the store itself has failed: {error}"));
        }
        finish(&world)
    })
}

/// How long the work may take, in simulated time: far longer than it takes if every call returns.
const LONGEST: Duration = Duration::from_secs(4 * 3_600);
/// How long everything takes at most that clients do in the background, once nothing goes wrong any more: calls that are
/// on their way, leases that run out, pauses before another attempt.
const SETTLED: Duration = Duration::from_secs(30);

async fn simulate(world: &Arc<World>) -> Result<(), BackendError> {
    let (last, is_last) = oneshot::channel();
    let log = follow(world, is_last);
    tokio::spawn(Store::observe(Arc::clone(world)));
    let Some(mut clients) = work(world).await else { return Ok(()) };

    for (client, _) in &clients {
        client.machine.go_on();
        client.link.calm();
    }
    sleep(SETTLED).await;
    nothing_left(world, "lock", "after everything was given up").await?;
    for (client, _) in &clients {
        probe(world, client).await;
    }
    sleep(SETTLED).await;
    for (client, watches) in &mut clients {
        watches.abort_all();
        if let Err(error) = client.storage.storage().close().await {
            world.violation(format!("{} could not be closed: {error}", client.name));
        }
    }
    nothing_left(world, "lock", "after all was closed").await?;
    nothing_left(world, "session", "after all was closed").await?;

    let tree = read_all(world).await;
    let end = world.store.memory().put(Key::new(format!("{}/end", world.prefix)), Bytes::new()).await?;
    let _ = last.send(end);
    let log = match log.await {
        Ok(log) => log?,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    };
    check(world, &log, tree);
    for entry in world.store.entries(String::new()).await? {
        world.notes().trace.add(format!("in the end: {}", shown_entry(&entry)));
    }
    Ok(())
}

fn follow(world: &Arc<World>, last: oneshot::Receiver<Revision>) -> JoinHandle<Result<Log, BackendError>> {
    let (store, prefix) = (world.store.memory().clone(), world.prefix.clone());
    tokio::spawn(async move {
        let last = async { last.await.unwrap_or(Revision::ZERO) };
        Log::follow(&store, &prefix, Revision::ZERO, last).await
    })
}

/// Lets all clients do their work, and events happen to them; the clients that are there in the end. `None` if some never
/// finish.
async fn work(world: &Arc<World>) -> Option<Vec<(Client, JoinSet<()>)>> {
    let mut slots = JoinSet::new();
    let mut handles = Vec::new();
    for number in 0..world.plan.clients {
        let (slot, end, current) = Slot::new(world, number);
        slots.spawn(slot.run());
        handles.push((end, current));
    }
    let mut clients = Vec::new();
    let done = async {
        while let Some(done) = slots.join_next().await {
            match done {
                Ok(client) => clients.push(client),
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
        }
    };
    let events = Events::new(world, handles).run();
    let worked = async {
        tokio::select! {
            biased;
            () = done => {}
            () = events => {}
        }
    };
    if timeout(LONGEST, worked).await.is_err() {
        let open = world.recorder.history().into_iter().filter(|operation| operation.returned.is_none());
        let open: Vec<_> = open.map(|operation| operation.to_string()).collect();
        world.violation(format!("some clients never finish; calls that have not returned: {open:#?}"));
        return None;
    }
    Some(clients)
}

async fn nothing_left(world: &World, what: &str, when: &str) -> Result<(), BackendError> {
    for entry in world.store.entries(format!("{}/{what}/", world.prefix)).await? {
        world.violation(format!("left behind {when}: {}", shown_entry(&entry)));
    }
    Ok(())
}

/// Whether a client to which nothing happens can do everything.
async fn probe(world: &World, client: &Client) {
    let probed = async {
        let path = format!("probes/{}", client.number);
        client.storage.store(&path, world.next_content(&client.name)).await?;
        for lock in ["p", "q"] {
            let options = LockOptions::new().with_deadline(SETTLED);
            let guard = client.storage.lock(lock, options).await?;
            guard.store(&path, world.next_content(&client.name)).await?;
            guard.unlock().await?;
        }
        client.storage.load_file(&path).await.map(drop)
    };
    if let Err(error) = probed.await {
        world.violation(format!("{} fails although nothing goes wrong any more: {error}", client.name));
    }
}

/// The files of the tree, as a client shows them that comes anew.
async fn read_all(world: &World) -> storage_core::Result<Vec<(String, Bytes)>> {
    let options = StorageOptions::new().with_prefix(KeyPrefix::clone(&world.prefix));
    let storage = Storage::open(world.store.shown(), options).await?;
    let mut files = Vec::new();
    for entry in storage.list("", ListOptions::descendants()).await? {
        if entry.kind == storage_core::EntryKind::File {
            files.push((entry.path.to_string(), storage.load(entry.path.as_str()).await?));
        }
    }
    Ok(files)
}

fn check(world: &World, log: &Log, tree: storage_core::Result<Vec<(String, Bytes)>>) {
    for violation in check_revisions(&world.recorder.history(), log) {
        world.violation(violation.to_string());
    }
    let expected: Vec<_> =
        log.files().into_iter().map(|(path, content)| (path.to_owned(), content.clone())).collect();
    match tree {
        Ok(tree) if tree == expected => {}
        other => world.violation(format!("the tree in the end: expected {expected:?}, seen {other:?}")),
    }
    let releases = std::mem::take(&mut world.notes().releases);
    for violation in locks::check(&releases, log) {
        world.violation(violation);
    }
    let watched = std::mem::take(&mut world.notes().watched);
    for violation in watches::check(&watched, log) {
        world.violation(violation);
    }
    if !world.plan.gives_history_up() && world.notes().counts.of("watches: resyncs") > 0 {
        world.violation("a watch had to begin anew although the store has given nothing up".to_owned());
    }
}

fn finish(world: &World) -> Run {
    let mut notes = world.notes();
    for operation in world.recorder.history() {
        notes.trace.add_at(
            operation.invoked.at,
            format!("asked [{}] client {}: {:?}", operation.invoked.order, operation.client, operation.call),
        );
        if let Some(returned) = operation.returned {
            notes
                .trace
                .add_at(returned.at, format!("told [{}]: {:?}", operation.invoked.order, operation.outcome));
        }
    }
    let (trace, digest) = std::mem::replace(&mut notes.trace, crate::trace::Trace::new()).finish();
    Run {
        seed: world.seed,
        violations: std::mem::take(&mut notes.violations),
        counts: std::mem::take(&mut notes.counts),
        trace,
        digest,
    }
}
