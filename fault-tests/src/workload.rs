//! Clients that read and write.

use std::time::Duration;

use anyhow::Result;
use kv_etcd::{EtcdBackend, EtcdConfig};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use storage_core::{Storage, StorageOptions};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::history::{Call, Done, Outcome, Recorder};

pub(crate) type Tree = Storage<EtcdBackend>;

/// What the keys of the tree begin with.
pub(crate) const PREFIX: &str = "/faults";

/// Opens the tree through a connection of its own.
pub(crate) async fn open(config: &EtcdConfig) -> Result<Tree> {
    let options = StorageOptions::new()
        .with_prefix(config.prefix().parse()?)
        .with_lock_timeout(config.lock_timeout())
        .with_request_timeout(config.request_timeout());
    Ok(Storage::open(EtcdBackend::connect(config).await?, options).await?)
}

/// Clients at work. Each writes files of its own, which all read.
pub(crate) struct Load {
    recorder: Recorder,
    stop: watch::Sender<bool>,
    clients: JoinSet<()>,
}

impl Load {
    /// How long a client thinks between two calls.
    const PAUSE: Duration = Duration::from_millis(2);

    pub(crate) fn start(trees: &[Tree], seed: u64) -> Self {
        let (recorder, (stop, stopped)) = (Recorder::default(), watch::channel(false));
        let mut clients = JoinSet::new();
        for (number, tree) in trees.iter().enumerate() {
            let client = Client {
                number,
                clients: trees.len(),
                tree: tree.clone(),
                random: StdRng::seed_from_u64(seed.wrapping_mul(1_000).wrapping_add(number as u64)),
                written: 0,
                recorder: recorder.clone(),
            };
            clients.spawn(client.run(stopped.clone()));
        }
        Self { recorder, stop, clients }
    }

    /// How many calls have ended.
    pub(crate) fn calls(&self) -> usize {
        self.recorder.len()
    }

    /// Lets every client finish its call.
    pub(crate) async fn stop(mut self) -> Vec<Done> {
        self.stop.send_replace(true);
        while let Some(ended) = self.clients.join_next().await {
            ended.expect("a client does not panic");
        }
        self.recorder.take()
    }
}

struct Client {
    number: usize,
    clients: usize,
    tree: Tree,
    random: StdRng,
    written: u64,
    recorder: Recorder,
}

impl Client {
    async fn run(mut self, stopped: watch::Receiver<bool>) {
        while !*stopped.borrow() {
            let call = self.next_call();
            let began = Instant::now();
            let outcome = self.make(&call).await;
            let ended = Instant::now();
            self.recorder.add(Done { client: self.number, began, ended, call, outcome });
            tokio::time::sleep(Load::PAUSE).await;
        }
    }

    fn next_call(&mut self) -> Call {
        let file = |number: u32| format!("c{}/file-{number}", self.number);
        match self.random.random_range(0..100) {
            0..45 => {
                let (of, number) =
                    (self.random.random_range(0..self.clients), self.random.random_range(0..4));
                Call::Load(format!("c{of}/file-{number}"))
            }
            45..75 => {
                let path = file(self.random.random_range(0..4));
                Call::Store(vec![(path, self.content())])
            }
            75..83 => {
                let content = self.content();
                Call::Store(
                    (0..3).map(|n| (format!("c{}/group/{n}", self.number), content.clone())).collect(),
                )
            }
            83..90 => Call::Delete(file(self.random.random_range(0..4))),
            90..95 => Call::Delete(format!("c{}/group", self.number)),
            _ => {
                let (from, to) = (self.random.random_range(0..4), self.random.random_range(0..4));
                Call::Rename(file(from), file(to))
            }
        }
    }

    fn content(&mut self) -> String {
        self.written += 1;
        format!("client {}, content {}, {}", self.number, self.written, "x".repeat(200))
    }

    async fn make(&self, call: &Call) -> Outcome {
        let written = match call {
            Call::Store(files) => match files.as_slice() {
                [(path, content)] => self.tree.store(path, content.clone()).await.map(|file| file.version),
                files => {
                    let files = files.iter().map(|(path, content)| (path.as_str(), content.clone()));
                    self.tree.store_many(files).await.map(|files| files[0].version)
                }
            },
            Call::Rename(from, to) => self.tree.rename(from, to).await.map(|file| file.version),
            Call::Delete(path) => {
                return self
                    .tree
                    .delete(path)
                    .await
                    .map_or_else(|error| Outcome::of(&error), Outcome::Deleted);
            }
            Call::Load(path) => {
                return match self.tree.load_file(path).await {
                    Ok(file) => {
                        let content = String::from_utf8_lossy(&file.content).into_owned();
                        Outcome::Read(Some((content, file.metadata.version)))
                    }
                    Err(error) if error.is_not_found() => Outcome::Read(None),
                    Err(error) => Outcome::of(&error),
                };
            }
        };
        written.map_or_else(|error| Outcome::of(&error), Outcome::Wrote)
    }
}
