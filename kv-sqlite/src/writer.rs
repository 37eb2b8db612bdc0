//! The one thread of an opened store that writes.
//!
//! What is asked for while it is busy is committed together: many revisions, one `fsync`.

mod job;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use storage_core::kv::BackendError;
use tokio::sync::{oneshot, watch};
use tokio::time::{self, Instant};

use self::job::{Job, Task, Ticket};
use crate::change::Write;
use crate::error::{self, Failure};
use crate::hub::Nudge;
use crate::notify_file::NotifyFile;
use crate::options::SqliteOptions;
use crate::patience::Patience;
use crate::place::Place;
use crate::readers::Readers;

/// Where the thread is told what to write. It ends, and closes the store, when the last of these is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    jobs: Sender<Box<dyn Job>>,
    /// Its sender is the thread's.
    running: watch::Receiver<()>,
}

impl Writer {
    pub(crate) fn start(
        connection: Connection,
        place: Arc<Place>,
        notify_file: NotifyFile,
        options: SqliteOptions,
        readers: Arc<Readers>,
        hub: Sender<Nudge>,
    ) -> std::io::Result<Self> {
        let (jobs, received) = mpsc::channel();
        let (alive, running) = watch::channel(());
        let mut desk = Desk { connection, place, notify_file, options, hub, log_left_until: Instant::now() };
        thread::Builder::new().name("kv-sqlite-write".to_owned()).spawn(move || {
            desk.work(&received);
            // The last connection takes the write-ahead log along, so others must not close at the same time.
            readers.close();
            drop(desk);
            drop(alive);
        })?;
        Ok(Self { jobs, running })
    }

    /// Waits until the thread has closed the store. The future keeps it from nothing.
    pub(crate) fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut running = self.running.clone();
        async move { while running.changed().await.is_ok() {} }
    }

    /// Writes, and answers when that is committed.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        call: &'static str,
        deadline: Instant,
        bytes: usize,
        work: impl FnMut(&mut Write<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, BackendError> {
        let (ticket, answer) = self.hand_in(bytes, work);
        match time::timeout_at(deadline, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_gone)) => Err(error::ended("the thread that writes")),
            Err(_elapsed) if ticket.withdraw() => Err(error::timeout(call)),
            Err(_elapsed) => Err(error::timeout_under_way(call)),
        }
    }

    /// Hands something in to be written. It is not begun with any more once the receiver is dropped.
    pub(crate) fn hand_in<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnMut(&mut Write<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> (Arc<Ticket>, oneshot::Receiver<Result<T, BackendError>>) {
        let ticket = Arc::new(Ticket::default());
        let (sender, answer) = oneshot::channel();
        let task = Task::new(Arc::clone(&ticket), bytes, work, sender);
        // A thread that has ended drops the task, which is seen by its receiver.
        let _ = self.jobs.send(Box::new(task));
        (ticket, answer)
    }
}

/// What the thread has.
struct Desk {
    connection: Connection,
    place: Arc<Place>,
    notify_file: NotifyFile,
    options: SqliteOptions,
    hub: Sender<Nudge>,
    /// Until then nothing is done about a write-ahead log that could not be cut.
    log_left_until: Instant,
}

/// How far a transaction came that failed.
enum Broken {
    BeforeCommit(Failure),
    AtCommit(rusqlite::Error),
}

impl<E: Into<Failure>> From<E> for Broken {
    fn from(failure: E) -> Self {
        Self::BeforeCommit(failure.into())
    }
}

impl Desk {
    /// So much is committed together at most, so that others get their turn.
    const MOST_JOBS: usize = 64;
    const MOST_BYTES: usize = 8 << 20;

    fn work(&mut self, jobs: &Receiver<Box<dyn Job>>) {
        let mut waiting = VecDeque::new();
        while let Ok(job) = jobs.recv() {
            waiting.push_back(job);
            while !waiting.is_empty() {
                self.serve(&mut waiting, jobs);
            }
            self.bound_log();
        }
    }

    /// Commits the first of those who wait, or all.
    fn serve(&mut self, waiting: &mut VecDeque<Box<dyn Job>>, jobs: &Receiver<Box<dyn Job>>) {
        let turn = self.notify_file.take_turn();
        // As long as the lock is not ours nothing has begun: each of them may still give up.
        let mut patience = Patience::until(Instant::now() + self.options.request_timeout);
        let transaction = loop {
            waiting.extend(jobs.try_iter());
            waiting.retain(|job| job.is_wanted());
            if waiting.is_empty() {
                return;
            }
            match self.begin() {
                Ok(transaction) => break transaction,
                Err(failure) if failure.is_busy() && patience.pause() => {}
                Err(failure) => {
                    let error = failure.into_error();
                    return waiting.drain(..).for_each(|job| job.answer(Err(error::again(&error))));
                }
            }
        };
        let mut batch = take_batch(waiting);
        match self.commit(transaction, &mut batch) {
            Ok(is_news) => {
                self.tell(is_news);
                drop(turn);
                for job in batch {
                    job.answer(Ok(()));
                }
            }
            Err(broken) => {
                let error = broken.into_error();
                // Each for itself: a transaction that the disk has no room for must not fail those that fit.
                let is_retried = batch.len() > 1 && !error.is_maybe_applied();
                if is_retried {
                    tracing::debug!(?error, "transactions that failed together are tried one by one");
                }
                for job in batch {
                    if is_retried {
                        self.commit_alone(job);
                    } else {
                        job.answer(Err(error::again(&error)));
                    }
                }
            }
        }
    }

    fn commit_alone(&self, job: Box<dyn Job>) {
        let mut batch = vec![job];
        let mut patience = Patience::until(Instant::now() + self.options.request_timeout);
        let committed = match patience.insist(|| self.begin()) {
            Ok(transaction) => self.commit(transaction, &mut batch),
            Err(failure) => Err(Broken::BeforeCommit(failure)),
        };
        let fate = match committed {
            Ok(is_news) => {
                self.tell(is_news);
                Ok(())
            }
            Err(broken) => Err(broken.into_error()),
        };
        for job in batch {
            job.answer(fate.as_ref().copied().map_err(error::again));
        }
    }

    fn begin(&self) -> Result<Transaction<'_>, Failure> {
        self.place.check_unmoved()?;
        Ok(Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)?)
    }

    /// Answers whether others should be told.
    fn commit(&self, transaction: Transaction<'_>, batch: &mut [Box<dyn Job>]) -> Result<bool, Broken> {
        let mut write = Write::begin(&transaction)?;
        for job in batch {
            job.run(&mut write)?;
        }
        let history = self.options.history.get().max(SqliteOptions::SHORTEST_HISTORY);
        let is_news = write.finish(history)?;
        transaction.commit().map_err(Broken::AtCommit)?;
        Ok(is_news)
    }

    fn tell(&self, is_news: bool) {
        if is_news {
            self.notify_file.tell();
            // The hub ends only when the store does.
            let _ = self.hub.send(Nudge::Look);
        }
    }

    /// Makes the write-ahead log begin anew where readers, who are hardly ever all gone at the same time, have kept it from
    /// that for long.
    fn bound_log(&mut self) {
        const MOST: u64 = 64 << 20;
        const PATIENCE: Duration = Duration::from_millis(250);
        const PAUSE: Duration = Duration::from_secs(5);
        let size = std::fs::metadata(self.place.beside("-wal")).map_or(0, |metadata| metadata.len());
        if size <= MOST || Instant::now() < self.log_left_until {
            return;
        }
        let checkpoint = || {
            self.connection.busy_timeout(PATIENCE)?;
            let is_blocked =
                self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
            self.connection.busy_timeout(Duration::ZERO)?;
            is_blocked
        };
        match checkpoint() {
            Ok(false) => {}
            blocked => {
                tracing::warn!(
                    ?blocked,
                    size,
                    "the write-ahead log is long and somebody keeps it from being cut"
                );
                self.log_left_until = Instant::now() + PAUSE;
            }
        }
    }
}

/// Takes as many jobs as are committed together. From then on none can be withdrawn.
fn take_batch(waiting: &mut VecDeque<Box<dyn Job>>) -> Vec<Box<dyn Job>> {
    let mut batch: Vec<Box<dyn Job>> = Vec::new();
    let mut bytes = 0;
    while batch.len() < Desk::MOST_JOBS && (batch.is_empty() || bytes < Desk::MOST_BYTES) {
        let Some(job) = waiting.pop_front() else { break };
        if job.take() {
            bytes += job.bytes();
            batch.push(job);
        }
    }
    batch
}

impl Broken {
    fn into_error(self) -> BackendError {
        match self {
            Self::BeforeCommit(failure) => failure.into_error(),
            Self::AtCommit(error) => error::of_commit(error),
        }
    }
}
