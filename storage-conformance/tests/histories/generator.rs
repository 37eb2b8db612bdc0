//! Legal histories: calls of concurrent clients on a tree that is right, as somebody would have recorded them.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use storage_conformance::history::{Call, Loaded, Log, Moment, Operation, Outcome};
use storage_core::kv::Revision;
use tokio::time::Instant;

use crate::world::World;

/// What a history is to be like.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) seed: u64,
    pub(crate) operations: usize,
    pub(crate) clients: usize,
    pub(crate) paths: Vec<String>,
    /// How many of a hundred calls fail, lose their answers or never return.
    pub(crate) troubles: u32,
    pub(crate) variety: Variety,
}

/// Which calls there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variety {
    Everything,
    /// Calls on one file each.
    SingleFiles,
}

impl Shape {
    /// A short one on a few paths that get in each other's way.
    pub(crate) fn short(seed: u64) -> Self {
        let paths = ["a", "b", "d/1", "d/2", "d/e/1", "d/e/2", "d/e", "f/g"];
        let troubles = [0, 5, 30][usize::try_from(seed % 3).unwrap()];
        let (paths, variety) = (paths.map(str::to_owned).into(), Variety::Everything);
        Self { seed, operations: 120, clients: 5, paths, troubles, variety }
    }

    /// A short one on three files, of calls on one of them each.
    pub(crate) fn of_single_files(seed: u64) -> Self {
        let paths = ["a", "b", "c"].map(str::to_owned).into();
        Self { paths, variety: Variety::SingleFiles, ..Self::short(seed) }
    }

    /// A long one on many paths.
    pub(crate) fn long(seed: u64, operations: usize) -> Self {
        let mut paths: Vec<_> = (0..20).map(|dir| format!("dir-{dir}/file")).collect();
        paths.extend((0..20).flat_map(|dir| (0..10).map(move |file| format!("dir-{dir}/files/{file}"))));
        Self { seed, operations, clients: 16, paths, troubles: 1, variety: Variety::Everything }
    }

    pub(crate) fn generate(&self) -> (Vec<Operation>, Log) {
        let clients = (0..self.clients).map(|number| Client { number, ..Client::default() }).collect();
        let generator = Generator {
            shape: self,
            random: StdRng::seed_from_u64(self.seed),
            world: World::default(),
            clients,
            late: Vec::new(),
            history: Vec::with_capacity(self.operations),
            moments: 0,
            now: Instant::now(),
            written: 0,
        };
        generator.run()
    }
}

struct Generator<'s> {
    shape: &'s Shape,
    random: StdRng,
    world: World,
    clients: Vec<Client>,
    /// Calls whose callers are told nothing any more, and that are applied some time later.
    late: Vec<usize>,
    history: Vec<Operation>,
    moments: u64,
    now: Instant,
    written: u64,
}

#[derive(Default)]
struct Client {
    number: usize,
    phase: Phase,
    /// The lock that it believes to hold.
    guard: Option<(String, Revision)>,
    /// What it has read last, by path.
    known: BTreeMap<String, Loaded>,
}

#[derive(Default)]
enum Phase {
    #[default]
    Idle,
    Invoked(usize, Fate),
    /// In the queue of a lock.
    Queued(usize, String, Revision),
    Applied(usize, Outcome),
}

/// What becomes of a call, beside what it does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Good,
    Fails,
    /// Its answer is lost, and it was applied, never will be, or will be later.
    LosesAnswer(Applied),
    /// Its client dies.
    NeverReturns(Applied),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Applied {
    Yes,
    No,
    Later,
}

impl Generator<'_> {
    fn run(mut self) -> (Vec<Operation>, Log) {
        while self.history.len() < self.shape.operations
            || self.clients.iter().any(|client| !matches!(client.phase, Phase::Idle))
        {
            if !self.late.is_empty() && self.random.random_ratio(1, 20) {
                let index = self.random.random_range(0..self.late.len());
                let operation = &self.history[self.late.swap_remove(index)];
                self.world.execute(&operation.call, operation.fence);
            }
            if self.shape.troubles > 0 && self.random.random_ratio(1, 200) {
                self.world.end_a_session(&mut self.random);
            }
            let client = self.random.random_range(0..self.clients.len());
            self.step(client);
            self.let_waiters_go_when_nobody_else_can();
        }
        (self.history, self.world.log)
    }

    fn step(&mut self, client: usize) {
        match std::mem::take(&mut self.clients[client].phase) {
            Phase::Idle if self.history.len() < self.shape.operations => {
                let (call, fence) = self.next_call(client);
                let invoked = self.moment();
                let number = self.clients[client].number;
                self.history.push(Operation {
                    client: number,
                    call,
                    fence,
                    invoked,
                    returned: None,
                    outcome: Outcome::Pending,
                });
                let index = self.history.len() - 1;
                let fate = self.fate(index);
                self.clients[client].phase = Phase::Invoked(index, fate);
            }
            Phase::Idle => {}
            Phase::Invoked(index, fate) => self.carry_out(client, index, fate),
            Phase::Queued(index, name, token) => {
                self.clients[client].phase = match self.world.turn(&name, token) {
                    Some(true) => Phase::Applied(index, Outcome::Acquired(token)),
                    Some(false) => Phase::Queued(index, name, token),
                    // Its session has ended: at the end of the queue again.
                    None => {
                        let token = self.world.queue(&name);
                        Phase::Queued(index, name, token)
                    }
                };
            }
            Phase::Applied(index, outcome) => {
                self.learn(client, index, &outcome);
                let returned = self.moment();
                let operation = &mut self.history[index];
                (operation.returned, operation.outcome) = (Some(returned), outcome);
            }
        }
    }

    fn carry_out(&mut self, client: usize, index: usize, fate: Fate) {
        let operation = &self.history[index];
        if let Call::Lock { name } = &operation.call {
            let name = name.clone();
            let token = self.world.queue(&name);
            self.clients[client].phase = Phase::Queued(index, name, token);
            return;
        }
        let applied = match fate {
            Fate::Good => Applied::Yes,
            Fate::Fails => Applied::No,
            Fate::LosesAnswer(applied) | Fate::NeverReturns(applied) => applied,
        };
        let outcome = match applied {
            Applied::Yes => self.world.execute(&operation.call, operation.fence),
            Applied::No => Outcome::Pending,
            Applied::Later => {
                self.late.push(index);
                Outcome::Pending
            }
        };
        let outcome = match fate {
            Fate::Good => outcome,
            Fate::Fails => {
                Outcome::Failed { kind: storage_core::ErrorKind::Unavailable, text: "gone".to_owned() }
            }
            Fate::LosesAnswer(_) => Outcome::Unknown("lost".to_owned()),
            Fate::NeverReturns(_) => {
                // Another client comes in its place.
                let number = self.clients.iter().map(|client| client.number).max().unwrap_or(0) + 1;
                if let Some((name, token)) = self.clients[client].guard.take() {
                    self.world.leave(&name, token);
                }
                self.clients[client] = Client { number, ..Client::default() };
                return;
            }
        };
        self.clients[client].phase = Phase::Applied(index, outcome);
    }

    /// Who waits for a lock needs its holder to move; in the end nobody does.
    fn let_waiters_go_when_nobody_else_can(&mut self) {
        if self.history.len() < self.shape.operations {
            return;
        }
        for client in &mut self.clients {
            if matches!(client.phase, Phase::Idle)
                && let Some((name, token)) = client.guard.take()
            {
                self.world.leave(&name, token);
            }
        }
    }

    fn fate(&mut self, index: usize) -> Fate {
        let is_write = self.history[index].call.is_write();
        if !self.random.random_ratio(self.shape.troubles, 100) || !is_write {
            return Fate::Good;
        }
        let applied = *[Applied::Yes, Applied::No, Applied::Later].choose(&mut self.random).unwrap();
        match self.random.random_range(0..3) {
            0 => Fate::Fails,
            1 => Fate::LosesAnswer(applied),
            _ => Fate::NeverReturns(applied),
        }
    }

    fn next_call(&mut self, client: usize) -> (Call, Option<Revision>) {
        let path = self.path();
        let guard = self.clients[client].guard.clone();
        if let Some((name, token)) = guard {
            let fence = Some(token);
            return match self.random.random_range(0..4) {
                0 | 1 => (Call::Store { files: vec![(path, self.content())] }, fence),
                2 => (Call::Delete { path }, fence),
                _ => {
                    self.clients[client].guard = None;
                    (Call::Unlock { name, token }, None)
                }
            };
        }
        let known = self.clients[client].known.get(&path).map(|known| known.version);
        let kinds = if self.shape.variety == Variety::SingleFiles { 60 } else { 100 };
        let call = match self.random.random_range(0..kinds) {
            0..25 => Call::Load { path },
            25..42 => Call::Store { files: vec![(path, self.content())] },
            42..48 => match known {
                Some(version) => Call::StoreIf { path, content: self.content(), version },
                None => Call::Load { path },
            },
            48..52 => Call::Create { path, content: self.content() },
            52..55 => Call::LoadOrStore { path, content: self.content() },
            55..58 => Call::DeleteFile { path },
            58..60 => Call::Stat { path },
            60..67 => self.group(),
            67..73 => Call::LoadMany { paths: self.some_paths() },
            73..78 => Call::Delete { path },
            78..83 => Call::Delete { path: parent(&path) },
            83..89 => Call::Rename { from: path, to: self.path() },
            89..92 => Call::Exists { path },
            92..96 => Call::List { path: parent(&path) },
            _ => {
                let name = (*["one", "two"].choose(&mut self.random).unwrap()).to_owned();
                Call::Lock { name }
            }
        };
        (call, None)
    }

    fn group(&mut self) -> Call {
        let content = self.content();
        let mut files: VecDeque<_> =
            self.some_paths().into_iter().map(|path| (path, content.clone())).collect();
        // Clients name the files of a group in any order.
        files.rotate_left(1);
        Call::Store { files: files.into() }
    }

    /// Two or three paths of which none lies below another.
    fn some_paths(&mut self) -> Vec<String> {
        let mut paths: Vec<String> = Vec::new();
        for _ in 0..6 {
            let path = self.path();
            let is_beside = |other: &String| {
                *other != path
                    && !other.starts_with(&format!("{path}/"))
                    && !path.starts_with(&format!("{other}/"))
            };
            if paths.len() < 3 && paths.iter().all(is_beside) {
                paths.push(path);
            }
        }
        paths
    }

    fn path(&mut self) -> String {
        self.shape.paths.choose(&mut self.random).unwrap().clone()
    }

    fn content(&mut self) -> Bytes {
        self.written += 1;
        format!("content {}", self.written).into()
    }

    fn moment(&mut self) -> Moment {
        self.moments += 1;
        Moment { order: self.moments, at: self.now }
    }

    fn learn(&mut self, client: usize, index: usize, outcome: &Outcome) {
        let client = &mut self.clients[client];
        match (&self.history[index].call, outcome) {
            (Call::Load { path }, Outcome::Loaded(found)) => {
                client.known.insert(path.clone(), found.clone());
            }
            (Call::Lock { name }, Outcome::Acquired(token)) => client.guard = Some((name.clone(), *token)),
            (_, Outcome::Refused { kind: storage_core::ErrorKind::LockLost, .. }) => client.guard = None,
            _ => {}
        }
    }
}

/// The directory that a path lies in.
fn parent(path: &str) -> String {
    path.rsplit_once('/').map_or(path, |(parent, _)| parent).to_owned()
}
