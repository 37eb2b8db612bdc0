//! Making a call, and looking at how it ends.

use std::cell::Cell;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use storage_core::{Error, ErrorKind, Result};
use tokio::time::{Instant, timeout};

use super::Worker;
use crate::link::LOST_ANSWERS;

/// How calls can fail.
const EXPECTED: [ErrorKind; 12] = [
    ErrorKind::NotFound,
    ErrorKind::AlreadyExists,
    ErrorKind::IsADirectory,
    ErrorKind::NotADirectory,
    ErrorKind::Conflict,
    ErrorKind::LockTimeout,
    ErrorKind::LockLost,
    ErrorKind::NotHeld,
    ErrorKind::Unavailable,
    ErrorKind::Timeout,
    ErrorKind::OutcomeUnknown,
    ErrorKind::NoSpace,
];

/// How much longer than allowed a call may take: timers count in milliseconds.
const TOLERANCE: Duration = Duration::from_millis(20);

impl Worker {
    /// Makes a call, which has to return within its limit; or drops it somewhere on the way. What it has answered, if it
    /// has succeeded.
    ///
    /// On the heap, since all tasks have room for the largest.
    pub(super) fn call<'w, T: Send + 'w>(
        &'w mut self,
        name: &'static str,
        limit: Duration,
        call: impl Future<Output = Result<T>> + Send + 'w,
    ) -> BoxFuture<'w, Option<T>> {
        let call = call.boxed();
        self.make(name, limit, call).boxed()
    }

    async fn make<T>(
        &mut self,
        name: &'static str,
        limit: Duration,
        call: BoxFuture<'_, Result<T>>,
    ) -> Option<T> {
        let polls = self.chance.happens(self.world.plan.dropped).then(|| self.chance.between(1, 6));
        let (world, client) = (Arc::clone(&self.world), self.client.name.clone());
        let (began, stops) = (Instant::now(), self.client.link.stops());
        let lost = Cell::new(0);
        let observed = async {
            // Far beyond what is allowed: so that a call that never returns ends somewhere.
            let ended = timeout(2 * limit + Duration::from_secs(60), or_dropped(polls, call)).await;
            (ended, LOST_ANSWERS.with(Cell::get))
        };
        let (ended, lost_answers) = LOST_ANSWERS.scope(lost, observed).await;
        self.lost_answers = lost_answers;
        let took = began.elapsed();
        // What a process does in time while it does not run nobody knows.
        let was_running = stops.is_some() && stops == self.client.link.stops();
        if was_running && took > limit + TOLERANCE {
            world.violation(format!("{name} of {client} took {took:?}, at most {limit:?} are allowed"));
        }
        let Ok(Some(result)) = ended else {
            world.note("calls: dropped", || format!("{client} has dropped {name}"));
            return None;
        };
        if let Err(error) = &result
            && !EXPECTED.contains(&error.kind())
        {
            world.violation(format!("{name} of {client} fails for a reason that there is not: {error}"));
        }
        let what = match &result {
            Ok(_) => "calls: succeeded",
            Err(error) => outcome(error),
        };
        world.note(what, || match &result {
            Ok(_) => format!("{client} {name}: ok"),
            Err(error) => format!("{client} {name}: {error}"),
        });
        if lost_answers > 0 && what != "calls: left open" {
            world.count("answers: lost and found out about");
        }
        if name.starts_with("fenced")
            && result.as_ref().is_err_and(|error| error.kind() == ErrorKind::LockLost)
        {
            world.count("locks: writes fenced off");
        }
        result.ok()
    }
}

fn outcome(error: &Error) -> &'static str {
    if error.is_outcome_unknown() {
        "calls: left open"
    } else if error.is_connection() || error.kind() == ErrorKind::NoSpace {
        "calls: failed"
    } else {
        "calls: refused"
    }
}

/// Polls a future so often at most; `None` if it was dropped before it was done.
async fn or_dropped<T>(polls: Option<u64>, mut future: BoxFuture<'_, T>) -> Option<T> {
    let Some(mut polls) = polls else { return Some(future.await) };
    std::future::poll_fn(move |context| {
        if polls == 0 {
            return Poll::Ready(None);
        }
        polls -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}
