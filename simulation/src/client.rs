use std::sync::Arc;
use std::time::Duration;

use storage_conformance::history::RecordedStorage;
use storage_core::{Environment, Storage, StorageOptions};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::chance::{Chance, Part};
use crate::clock::Machine;
use crate::judge::Judge;
use crate::link::Link;
use crate::watcher;
use crate::worker::Worker;
use crate::world::World;

/// A client of the store: a storage with a machine and a network of its own.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// Its number in the history. Who takes the place of a client that has ended has another.
    pub(crate) number: usize,
    pub(crate) name: String,
    pub(crate) storage: RecordedStorage<Arc<Link>>,
    pub(crate) link: Arc<Link>,
    pub(crate) machine: Arc<Machine>,
}

/// How a client ends before its work is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Crash,
    Close,
    /// Its last handle is dropped.
    Drop,
}

/// A place at which one client after the other works.
#[derive(Debug)]
pub(crate) struct Slot {
    world: Arc<World>,
    number: usize,
    ends: mpsc::UnboundedReceiver<End>,
    current: Arc<Current>,
}

/// The client that works at a place now.
pub(crate) type Current = std::sync::Mutex<Option<Client>>;

impl Client {
    /// Opens a storage, however long it takes.
    async fn open(world: &Arc<World>, slot: usize) -> Self {
        let number = world.next_client();
        let name = format!("client {number} at {slot}");
        let chance = |part| Chance::of(world.seed, part, number);
        let machine = Arc::new(Machine::new(chance(Part::Machine)));
        let judge = Judge::new(Arc::clone(world), name.clone(), chance(Part::Faults));
        let link = Link::new(world.store.shown(), judge, chance(Part::Ways), &world.plan);
        let options = StorageOptions::new()
            .with_prefix(world.prefix.clone())
            .with_lock_timeout(world.plan.lock_timeout)
            .with_request_timeout(world.plan.request_timeout)
            .with_environment(Arc::clone(&machine) as Arc<dyn Environment>);
        let storage = loop {
            match Storage::open(Arc::clone(&link), options.clone()).await {
                Ok(storage) => break storage,
                Err(error) if error.is_connection() => sleep(Duration::from_millis(200)).await,
                Err(error) => {
                    world.violation(format!("{name} cannot open the tree: {error}"));
                    sleep(Duration::from_secs(1)).await;
                }
            }
        };
        world.notes().trace.add(format!("{name} has opened the tree"));
        let storage = RecordedStorage::new(storage, world.recorder.clone(), number);
        Self { number, name, storage, link, machine }
    }
}

impl Slot {
    pub(crate) fn new(world: &Arc<World>, number: usize) -> (Self, mpsc::UnboundedSender<End>, Arc<Current>) {
        let (end, ends) = mpsc::unbounded_channel();
        let current = Arc::<Current>::default();
        (Self { world: Arc::clone(world), number, ends, current: Arc::clone(&current) }, end, current)
    }

    /// Works until everything is done; the client that has done the last of it, and its watches, which go on.
    pub(crate) async fn run(mut self) -> (Client, JoinSet<()>) {
        let plan = &self.world.plan;
        let mut left = vec![plan.steps; plan.tasks];
        loop {
            let client = Client::open(&self.world, self.number).await;
            *self.current.lock().expect("nobody panics under it") = Some(client.clone());
            let mut watches = JoinSet::new();
            watches.spawn(watcher::run(Arc::clone(&self.world), client.clone()));
            let mut workers = JoinSet::new();
            let left_now: Arc<std::sync::Mutex<Vec<usize>>> = Arc::new(std::sync::Mutex::new(left.clone()));
            for (task, steps) in left.iter().enumerate() {
                if *steps > 0 {
                    let worker = Worker::new(&self.world, &client, task, Arc::clone(&left_now));
                    workers.spawn(worker.run());
                }
            }
            let end = tokio::select! {
                biased;
                () = all(&mut workers) => None,
                end = self.ends.recv() => end,
            };
            left.clone_from(&left_now.lock().expect("nobody panics under it"));
            let Some(end) = end else { return (client, watches) };
            self.end(client, end, workers, watches).await;
        }
    }

    async fn end(&self, client: Client, end: End, mut workers: JoinSet<()>, mut watches: JoinSet<()>) {
        self.world.notes().trace.add(format!("{} ends: {end:?}", client.name));
        *self.current.lock().expect("nobody panics under it") = None;
        if end == End::Crash {
            client.link.crash();
        } else {
            // What goes wrong with this client from now on is its end.
            client.machine.go_on();
            client.link.calm();
        }
        workers.abort_all();
        watches.abort_all();
        all(&mut workers).await;
        all(&mut watches).await;
        self.world.notes().end_watches(client.number);
        match end {
            End::Close => {
                // The end of an earlier session may have had no answer, while there were faults.
                if let Err(error) = client.storage.storage().close().await
                    && !error.is_connection()
                {
                    self.world.violation(format!("{} could not be closed: {error}", client.name));
                }
            }
            End::Crash | End::Drop => drop(client),
        }
    }
}

async fn all(tasks: &mut JoinSet<()>) {
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}
