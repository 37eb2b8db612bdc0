//! The one thread of an opened store that notices what others have committed, and when leases end.
//!
//! It sleeps until somebody commits; with a watch it also looks once in a while by itself, in case a process was killed before
//! it could tell of its commit.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use rusqlite::Connection;
use storage_core::kv::{BackendError, Revision};
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::time::Instant;

use crate::clock::{self, Moment};
use crate::error::Failure;
use crate::meta::Meta;
use crate::place::Place;
use crate::watch::Watchers;
use crate::writer::Writer;
use crate::{history, lease, open, readers};

/// What the hub is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nudge {
    /// Something may have changed, or somebody has begun to watch.
    Look,
    /// The store is closed.
    End,
}

/// How often it looks without being told while somebody watches: the longest that a commit stays unnoticed which a killed
/// process could not tell of.
const SAFETY: Duration = Duration::from_secs(1);

/// The same where the system cannot tell of changes of a file. Leases are looked after more slowly than watches.
const POLL_WATCHED: Duration = Duration::from_millis(50);
const POLL_UNWATCHED: Duration = Duration::from_millis(500);

/// How often it looks at most while nobody watches: then only leases matter, which run for a second at least.
const UNWATCHED: Duration = Duration::from_millis(250);

/// How often the clock is looked at while there are leases: timers stop while the machine sleeps, and leases go on.
const CLOCK: Duration = Duration::from_secs(1);

/// When it tries again what has failed.
const RETRY: Duration = Duration::from_millis(500);

/// Starts the thread; it ends with [`Nudge::End`].
pub(crate) fn start(
    place: Arc<Place>,
    notify_file: std::path::PathBuf,
    watchers: Arc<Watchers>,
    writer: Writer,
    nudges: (Sender<Nudge>, Receiver<Nudge>),
) -> std::io::Result<()> {
    let (sender, received) = nudges;
    thread::Builder::new().name("kv-sqlite-hub".to_owned()).spawn(move || {
        let others = watch_file(&notify_file, sender);
        let now = Instant::now();
        let hub = Hub {
            place,
            watchers,
            writer,
            is_told: others.is_some(),
            connection: None,
            seen: Revision::ZERO,
            next_end: None,
            ending: None,
            looked: now,
            look_at: Some(now),
        };
        hub.run(&received);
    })?;
    Ok(())
}

/// Lets the system tell us when a process touches the file.
fn watch_file(path: &std::path::Path, nudges: Sender<Nudge>) -> Option<RecommendedWatcher> {
    let tell = move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| event.kind.is_modify()) {
            let _ = nudges.send(Nudge::Look);
        }
    };
    let watching = notify::recommended_watcher(tell).and_then(|mut watcher| {
        watcher.watch(path, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    });
    if let Err(error) = &watching {
        tracing::warn!(%error, "the system does not tell of commits of other processes: looking for them instead");
    }
    watching.ok()
}

struct Hub {
    /// Before `writer`: it has to be closed when the thread that writes closes its own, or neither is the last one.
    connection: Option<Connection>,
    place: Arc<Place>,
    watchers: Arc<Watchers>,
    writer: Writer,
    /// Whether the system tells of commits of others.
    is_told: bool,
    /// Up to here the watches have been told.
    seen: Revision,
    /// When the next lease ends, unless it is renewed.
    next_end: Option<Moment>,
    /// The ending of leases that the writer was asked for.
    ending: Option<oneshot::Receiver<Result<(), BackendError>>>,
    looked: Instant,
    /// When to look next, if that is decided.
    look_at: Option<Instant>,
}

impl Hub {
    fn run(mut self, nudges: &Receiver<Nudge>) {
        loop {
            let nudge = match self.wait() {
                Some(wait) => nudges.recv_timeout(wait),
                None => nudges.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            for nudge in nudge.ok().into_iter().chain(nudges.try_iter()) {
                if nudge == Nudge::End {
                    return;
                }
                self.look_by(if self.watchers.is_empty() { self.looked + UNWATCHED } else { Instant::now() });
            }
            if nudge == Err(RecvTimeoutError::Disconnected) {
                return;
            }
            let is_over = self.next_end.is_some_and(|end| end <= Moment::now());
            if is_over && self.ending.is_none() || self.look_at.is_some_and(|at| at <= Instant::now()) {
                self.look();
            }
        }
    }

    /// How long there is nothing to do unless something is told.
    fn wait(&self) -> Option<Duration> {
        let look = self.look_at.map(|at| at.saturating_duration_since(Instant::now()));
        let lease =
            self.next_end.filter(|_| self.ending.is_none()).map(|end| Moment::now().until(end).min(CLOCK));
        look.into_iter().chain(lease).min()
    }

    fn look_by(&mut self, at: Instant) {
        self.look_at = Some(self.look_at.map_or(at, |before| before.min(at)));
    }

    fn look(&mut self) {
        self.looked = Instant::now();
        self.look_at = None;
        if let Err(failure) = self.try_look() {
            tracing::debug!(?failure, "cannot look for changes now");
            self.connection = None;
            self.look_by(self.looked + RETRY);
            // They try for themselves, and tell their callers if it cannot be done.
            if !failure.is_busy() {
                self.watchers.wake_all();
            }
        }
        let is_watched = !self.watchers.is_empty();
        let by_itself = match (self.is_told, is_watched) {
            (true, true) => Some(SAFETY),
            (true, false) => None,
            (false, true) => Some(POLL_WATCHED),
            (false, false) => Some(POLL_UNWATCHED),
        };
        if let Some(pause) = by_itself {
            self.look_by(self.looked + pause);
        }
    }

    fn try_look(&mut self) -> Result<(), Failure> {
        self.place.check_unmoved()?;
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => open::for_reading(&self.place, Instant::now() + RETRY)?,
        };
        let mut is_all = false;
        while !is_all {
            is_all = readers::read(&connection, |connection| {
                let meta = Meta::read(connection)?;
                let first = lease::first_to_end(connection)?;
                self.look_after_leases(&meta, first.map(|(deadline, _)| deadline));
                self.tell_watchers(connection, &meta)
            })?;
        }
        self.connection = Some(connection);
        Ok(())
    }

    /// Answers whether that was all there is to tell.
    fn tell_watchers(&mut self, connection: &Connection, meta: &Meta) -> Result<bool, Failure> {
        if meta.revision <= self.seen {
            return Ok(true);
        }
        if self.watchers.is_empty() {
            self.seen = meta.revision;
            return Ok(true);
        }
        if self.seen < meta.compacted {
            // What has changed is not known any more. Who has not seen it either finds out.
            self.watchers.wake_all();
            self.seen = meta.revision;
            return Ok(true);
        }
        let (up_to, keys) = history::changed_keys(connection, meta, self.seen)?;
        self.watchers.tell(self.seen, up_to, &keys);
        self.seen = up_to;
        Ok(up_to == meta.revision)
    }

    /// Notes when the next lease ends, and has it ended if that is over.
    fn look_after_leases(&mut self, meta: &Meta, first: Option<Moment>) {
        self.next_end = first;
        let is_due = first.is_some_and(|end| end <= Moment::now() || meta.boot != clock::boot());
        let has_ended =
            self.ending.as_mut().map(|ending| !matches!(ending.try_recv(), Err(TryRecvError::Empty)));
        match has_ended {
            Some(true) => self.ending = None,
            None if is_due => {
                // Whatever is written ends the leases that are due first.
                let (_, answer) = self.writer.hand_in(0, |_| Ok(()));
                self.ending = Some(answer);
            }
            Some(false) | None => {}
        }
        // Nobody tells of an answer. If there was an error, or another process has been faster, that shows at the next look.
        if is_due || self.ending.is_some() {
            self.look_by(self.looked + RETRY);
        }
    }
}
