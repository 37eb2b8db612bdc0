//! What a call of the backend takes altogether, and how often what it asks for may be asked.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use storage_core::kv::{BackendError, BackendErrorKind, Key};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::Instrument;

use super::Shared;
use super::backoff::Pauses;
use super::hedge::Attempt;
use super::history::Witness;
use super::member::{Member, is_failure};
use super::notes::Notes;
use super::patience::Patience;
use super::probe;
use crate::observe;

/// A call of the backend.
pub(crate) struct Call<'a> {
    shared: &'a Shared,
    notes: Notes,
    begin: Instant,
}

impl<'a> Call<'a> {
    pub(super) fn new(shared: &'a Shared, name: &'static str) -> Self {
        shared.metronome.call();
        Self { shared, notes: Notes::new(name), begin: Instant::now() }
    }

    /// Does what the call consists of, when its turn has come, and ends it at its deadline.
    pub(crate) async fn run<T>(
        &self,
        body: impl Future<Output = Result<T, BackendError>>,
    ) -> Result<T, BackendError> {
        // It stays where it is: each future that it is moved into would keep room for it twice.
        let body = pin!(body);
        let body = async {
            if let Some(rate) = &self.shared.rate {
                rate.admit().await;
            }
            self.notes.sent(true);
            body.await
        };
        let span = observe::call(self.notes.name);
        let result = match timeout_at(self.deadline(), body.instrument(span.clone())).await {
            Ok(result) => result,
            Err(_) => Err(self.notes.at_deadline(self.shared.request_timeout)),
        };
        observe::call_ended(&span, self.notes.name, &result, self.begin.elapsed(), self.notes.attempts());
        result
    }

    /// A key that may be read when any read will do.
    pub(crate) fn probe_key(&self) -> &Key {
        &self.shared.probe_key
    }

    fn deadline(&self) -> Instant {
        self.begin + self.shared.request_timeout
    }

    /// Makes a call that may be made any number of times, and at several members at once.
    ///
    /// The attempts that are not needed any more are dropped.
    pub(crate) async fn read<T, F>(&self, call: impl Fn(Attempt) -> F) -> Result<T, BackendError>
    where
        F: Future<Output = Result<T, BackendError>>,
    {
        self.shared.hedge(&self.notes, call).await.map(|(_, answer)| answer)
    }

    /// Waits until there is a member that can be relied on: it has answered lately. Nothing but reading is done.
    pub(crate) async fn ready(&self) -> Result<Arc<Member>, BackendError> {
        let members = &self.shared.members;
        if let Some(preferred) = members.pick(&[]).filter(|member| member.is_fresh()) {
            return Ok(preferred);
        }
        let ask = |attempt| async { probe::answer(probe::ask(attempt, &self.shared.probe_key).await) };
        let (member, ()) = Box::pin(self.shared.hedge(&self.notes, ask)).await?;
        if let Some(before) = members.prefer(&member) {
            observe::failed_over(before.endpoint(), member.endpoint());
        }
        Ok(member)
    }

    /// Makes a call of this size that may be made once only: again only if it is certain that it was not.
    pub(crate) async fn write<T, F>(
        &self,
        bytes: usize,
        call: impl Fn(Attempt) -> F,
    ) -> Result<T, BackendError>
    where
        F: Future<Output = Result<T, BackendError>>,
    {
        self.notes.sent(false);
        let mut pauses = Pauses::between_attempts();
        let mut attempts = 0;
        loop {
            let member = self.ready().await?;
            self.notes.sent(true);
            match self.send(&member, bytes, &call).await {
                Err(error) if is_failure(&error) && error.is_retryable() && !error.is_maybe_applied() => {
                    self.notes.sent(false);
                    self.notes.failed(member.endpoint(), &error);
                }
                result => return result,
            }
            attempts += 1;
            if attempts >= self.shared.members.count() {
                sleep(pauses.next()).await;
            }
        }
    }

    async fn send<T, F>(
        &self,
        member: &Arc<Member>,
        bytes: usize,
        call: &impl Fn(Attempt) -> F,
    ) -> Result<T, BackendError>
    where
        F: Future<Output = Result<T, BackendError>>,
    {
        let (patience, for_bytes) = (self.shared.patience.current(), Patience::for_bytes(bytes));
        let begin = Instant::now();
        self.notes.attempt();
        let connection = member.connection();
        let sent = connection.link.call(|handles| {
            let witness = Witness::new(&self.shared.history, member);
            call(Attempt { handles, witness, ended: connection.ended.clone() })
        });
        let until = (begin + patience + for_bytes).min(self.deadline());
        let Ok(result) = timeout_at(until, sent).await else {
            member.silent(&connection, begin.elapsed());
            self.shared.patience.exhausted(patience);
            let message = format!("{}: no answer after {:?}", member.endpoint(), begin.elapsed());
            return Err(BackendError::new(BackendErrorKind::Timeout, message));
        };
        member.report(&connection, &result);
        if result.is_ok() {
            self.shared.patience.rewarded(begin.elapsed().saturating_sub(for_bytes));
        }
        result
    }
}

#[cfg(test)]
mod tests;
