//! Attempts: one after the other, and side by side where one stays silent.

use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use storage_core::kv::{BackendError, BackendErrorKind};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::backoff::Pauses;
use super::history::Witness;
use super::member::{Member, is_failure};
use super::notes::Notes;
use crate::link::Handles;

/// After how long without an answer a member counts as silent, and a read asks another one as well; where the deadline
/// leaves time for that.
pub(super) const SILENCE: Duration = Duration::from_secs(1);

/// What an attempt is made with.
#[derive(Clone)]
pub(crate) struct Attempt {
    pub(crate) handles: Arc<Handles>,
    pub(crate) witness: Witness,
    /// Set when nothing may be expected from this connection any more.
    pub(crate) ended: CancellationToken,
}

impl Shared {
    /// Asks a member, another one at once if that fails, one more at each time that the last one stays silent, and so on; answers
    /// who has answered first, and what. Without a deadline it may take for ever.
    pub(super) async fn hedge<T, F>(
        &self,
        notes: &Notes,
        call: impl Fn(Attempt) -> F,
    ) -> Result<(Arc<Member>, T), BackendError>
    where
        F: Future<Output = Result<T, BackendError>>,
    {
        let silence = Notify::new();
        // Each answers who was asked, and with what result.
        let mut attempts = Vec::new();
        let mut round = Round::default();
        let mut pauses = Pauses::between_attempts();
        // When the next attempt begins, unless something happens before that.
        let mut next = Some(Instant::now());
        loop {
            tokio::select! {
                biased;
                (member, result) = first_of(&mut attempts) => match result {
                    Err(error) if is_failure(&error) && error.is_retryable() => {
                        notes.failed(endpoint(&member), &error);
                        let pause = if round.is_over(self) { pauses.next() } else { Duration::ZERO };
                        next.get_or_insert_with(|| Instant::now() + pause);
                    }
                    result => return result.map(|answer| (member, answer)),
                },
                () = silence.notified() => {
                    next.get_or_insert_with(Instant::now);
                }
                () = reached(next) => {
                    next = None;
                    let (member, patience) = round.next(self);
                    notes.attempt();
                    let (call, silence) = (&call, &silence);
                    // On the heap: it is large, and there is rarely more than one.
                    attempts.push(Box::pin(async move {
                        let on_silence = || {
                            let error =
                                BackendError::new(BackendErrorKind::Timeout, format!("after {patience:?}"));
                            notes.failed(member.endpoint(), &error);
                            silence.notify_one();
                        };
                        let result = self.attempt(&member, patience, on_silence, call).await;
                        (member, result)
                    }));
                }
            }
        }
    }

    /// Makes a call on a member, and tells the member how that went: that it was silent for `patience`, and then what
    /// has become of it after all.
    pub(super) async fn attempt<T, F>(
        &self,
        member: &Arc<Member>,
        patience: Duration,
        on_silence: impl Fn(),
        call: impl Fn(Attempt) -> F,
    ) -> Result<T, BackendError>
    where
        F: Future<Output = Result<T, BackendError>>,
    {
        let connection = member.connection();
        let mut answer = pin!(connection.link.call(|handles| {
            let witness = Witness::new(&self.history, member);
            call(Attempt { handles, witness, ended: connection.ended.clone() })
        }));
        let result = if let Ok(result) = timeout(patience, &mut answer).await {
            result
        } else {
            member.silent(&connection, patience);
            on_silence();
            answer.await
        };
        member.report(&connection, &result);
        result
    }
}

fn endpoint(member: &Arc<Member>) -> &str {
    member.endpoint()
}

/// What the first of them answers that ends, and takes that one out. There are never many.
async fn first_of<F: Future>(futures: &mut Vec<Pin<Box<F>>>) -> F::Output {
    poll_fn(|context| {
        let ended =
            futures.iter_mut().enumerate().find_map(|(place, future)| match future.as_mut().poll(context) {
                Poll::Ready(output) => Some((place, output)),
                Poll::Pending => None,
            });
        match ended {
            Some((place, output)) => {
                drop(futures.swap_remove(place));
                Poll::Ready(output)
            }
            None => Poll::Pending,
        }
    })
    .await
}

/// Waits until then; for ever if there is no such time.
async fn reached(time: Option<Instant>) {
    match time {
        // Not by the timer, which is late by a millisecond.
        Some(time) if time <= Instant::now() => {}
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}

/// How often the time after which a call asks somebody else is doubled: to 4 s, so that a call begun in an outage finds
/// its end soon.
const MOST_DOUBLINGS: u32 = 2;

/// Whom a call has asked since everybody was asked last.
#[derive(Default)]
struct Round {
    asked: Vec<Arc<Member>>,
    number: u32,
}

impl Round {
    fn is_over(&self, shared: &Shared) -> bool {
        shared.members.pick(&self.asked).is_none()
    }

    /// Whom to ask next, and how long that one may be silent: longer in each round, since a store that is slow does not
    /// become quicker by being asked more.
    fn next(&mut self, shared: &Shared) -> (Arc<Member>, Duration) {
        let member = shared.members.pick(&self.asked).unwrap_or_else(|| {
            self.asked.clear();
            self.number += 1;
            shared.members.pick(&[]).expect("there is always a member")
        });
        self.asked.push(Arc::clone(&member));
        (member, shared.silence * 2_u32.pow(self.number.min(MOST_DOUBLINGS)))
    }
}
