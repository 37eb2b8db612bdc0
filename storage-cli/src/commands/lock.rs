//! `kvfs lock NAME -- COMMAND…` and `kvfs try-lock NAME -- COMMAND…`
//!
//! Signals are received from before the store is asked, and do not end the process: whatever happens, the place in the
//! lock's queue is given up before it ends.

mod child;

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use storage_core::kv::KvBackend;
use storage_core::{Error, ErrorKind, LockGuard, LockOptions};

use self::child::Outcome;
use crate::cli::{Lock, Target, TryLock};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, friendly};
use crate::session::{Place, Session, Tree, lock_name};
use crate::signals::Signals;

/// What is asked for.
struct Job {
    /// `lock` or `try-lock`.
    verb: &'static str,
    target: Target,
    patience: Patience,
    command: Vec<OsString>,
}

/// How long to wait for the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    None,
    Limited(Duration),
    Unlimited,
}

type Guard = LockGuard<Arc<dyn KvBackend>>;

pub(super) async fn run(args: Lock, session: &mut Session) -> Result<Exit, Failure> {
    let patience = args.wait.map_or(Patience::Unlimited, Patience::Limited);
    Job { verb: "lock", target: args.target, patience, command: args.run.command }.run(session).await
}

pub(super) async fn run_if_free(args: TryLock, session: &mut Session) -> Result<Exit, Failure> {
    let patience = Patience::None;
    Job { verb: "try-lock", target: args.target, patience, command: args.run.command }.run(session).await
}

impl Job {
    async fn run(self, session: &Session) -> Result<Exit, Failure> {
        lock_name(self.verb, &self.target.name)?;
        let mut place = session.place().await?;
        if let Some(ttl) = self.target.ttl {
            place.options.lock_timeout = ttl;
        }
        let mut signals = Signals::listen()?;
        let tree = tokio::select! {
            tree = place.open() => tree?,
            signal = signals.next() => return Ok(signal.exit()),
        };
        let taken = tokio::select! {
            guard = self.take(&tree) => guard.map_err(Err),
            signal = signals.next() => Err(Ok(signal.exit())),
        };
        match taken {
            Ok(guard) => self.run_locked(guard, &tree, &place, &mut signals, &session.output).await,
            Err(ended) => {
                let left = "its place in the queue was not given up, and ends";
                self.end_session(tree.close(), left, &place, &session.output).await;
                ended
            }
        }
    }

    async fn take(&self, tree: &Tree) -> Result<Guard, Failure> {
        let name = &self.target.name;
        let mut options = LockOptions::new();
        options.label.clone_from(&self.target.label);
        let taken = match self.patience {
            Patience::None => tree.try_lock_with(name, options).await,
            Patience::Limited(limit) => tree.lock_with(name, options.with_deadline(limit)).await.map(Some),
            Patience::Unlimited => tree.lock_with(name, options).await.map(Some),
        };
        taken.map_err(|error| Failure::storage(self.verb, name, &error))?.ok_or_else(|| {
            let why = "somebody holds the lock or waits for it; `kvfs locks` shows who";
            Failure::new(Exit::Conflict, "locked", why).within(&self.name())
        })
    }

    async fn run_locked(
        &self,
        guard: Guard,
        tree: &Tree,
        place: &Place,
        signals: &mut Signals,
        output: &Output,
    ) -> Result<Exit, Failure> {
        let mut command = child::command(&self.command, &guard);
        place.hand_on(&mut command);
        let outcome = child::run(command, &guard, signals, output).await;
        let left = "the lock was not released, and becomes free";
        let was_held = self.end_session(release(guard, tree), left, place, output).await;
        let outcome = outcome.map_err(|failure| failure.within(&self.name()))?;
        let lost = |what: String| {
            let message = format!("{}: {what}; it may not have run alone", self.name());
            Err(Failure::of_kind(ErrorKind::LockLost, message))
        };
        match (outcome, was_held) {
            (Outcome::Stopped(how), _) => lost(format!("lock lost while the command ran; {how}")),
            (Outcome::Ended(status), WasHeld::No) => {
                lost(format!("lock lost; the command had ended already ({status})"))
            }
            (Outcome::Ended(status), WasHeld::Yes) => Ok(child::exit(status)),
        }
    }

    /// Gives up what there is in the store, in bounded time; if that fails, tells what is left.
    async fn end_session(
        &self,
        release: impl Future<Output = Result<(), Error>>,
        left: &str,
        place: &Place,
        output: &Output,
    ) -> WasHeld {
        /// How long it may take when the store does not answer.
        const LIMIT: Duration = Duration::from_secs(10);
        let why = match tokio::time::timeout(LIMIT, release).await {
            Ok(Ok(())) => return WasHeld::Yes,
            Ok(Err(error)) if error.kind() == ErrorKind::LockLost => return WasHeld::No,
            Ok(Err(error)) => Failure::storage(self.verb, &self.target.name, &error),
            Err(_) => {
                Failure::of_kind(ErrorKind::Timeout, "the store did not answer in time").within(&self.name())
            }
        };
        let note = format!("{left} in {} at most", friendly(place.options.lock_timeout));
        output.warn(&why.with_note(note));
        WasHeld::Yes
    }

    /// The beginning of a message.
    fn name(&self) -> String {
        format!("{} {:?}", self.verb, self.target.name)
    }
}

/// Whether a lock was held, as far as is known, until it was released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WasHeld {
    Yes,
    No,
}

/// Releases a lock and ends the session.
///
/// # Errors
///
/// `LockLost`; any other if the lock may still be taken, as far as others are concerned.
async fn release(guard: Guard, tree: &Tree) -> Result<(), Error> {
    let unlocked = guard.unlock().await;
    let closed = tree.close().await;
    match unlocked {
        // A session that is left over holds nothing.
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::LockLost => Err(error),
        // The lock ends with its session.
        Err(_) => closed,
    }
}
