use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use storage_core::kv::BackendError;
use tokio::sync::oneshot;

use crate::change::Write;
use crate::error::Failure;

/// Something to be written, as the thread that does it sees it.
pub(crate) trait Job: Send {
    /// Whether somebody still waits for it.
    fn is_wanted(&self) -> bool;

    /// Takes it on, unless nobody waits for it any more.
    fn take(&self) -> bool;

    /// How much it has to write, about.
    fn bytes(&self) -> usize;

    /// Writes it and keeps its answer; once more if the transaction was rolled back.
    fn run(&mut self, write: &mut Write<'_>) -> Result<(), Failure>;

    /// Hands the answer out, or the error with which the transaction has ended.
    fn answer(self: Box<Self>, fate: Result<(), BackendError>);
}

/// Where a job stands: known to its caller, and to the thread.
#[derive(Debug, Default)]
pub(crate) struct Ticket(AtomicU8);

impl Ticket {
    const WAITING: u8 = 0;
    const TAKEN: u8 = 1;
    const WITHDRAWN: u8 = 2;

    /// Answers whether it will never be begun.
    pub(crate) fn withdraw(&self) -> bool {
        self.become_from_waiting(Self::WITHDRAWN)
    }

    fn become_from_waiting(&self, state: u8) -> bool {
        self.0.compare_exchange(Self::WAITING, state, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

pub(crate) struct Task<T, F> {
    ticket: Arc<Ticket>,
    bytes: usize,
    work: F,
    answer: Option<Result<T, BackendError>>,
    sender: oneshot::Sender<Result<T, BackendError>>,
}

impl<T, F> Task<T, F> {
    pub(crate) fn new(
        ticket: Arc<Ticket>,
        bytes: usize,
        work: F,
        sender: oneshot::Sender<Result<T, BackendError>>,
    ) -> Self {
        Self { ticket, bytes, work, answer: None, sender }
    }
}

impl<T, F> Job for Task<T, F>
where
    T: Send,
    F: FnMut(&mut Write<'_>) -> Result<T, Failure> + Send,
{
    fn is_wanted(&self) -> bool {
        !self.sender.is_closed() && self.ticket.0.load(Ordering::Acquire) == Ticket::WAITING
    }

    fn take(&self) -> bool {
        !self.sender.is_closed() && self.ticket.become_from_waiting(Ticket::TAKEN)
    }

    fn bytes(&self) -> usize {
        self.bytes
    }

    fn run(&mut self, write: &mut Write<'_>) -> Result<(), Failure> {
        self.answer = match (self.work)(write) {
            Ok(value) => Some(Ok(value)),
            Err(Failure::Refused(error)) => Some(Err(error)),
            Err(failure) => return Err(failure),
        };
        Ok(())
    }

    fn answer(self: Box<Self>, fate: Result<(), BackendError>) {
        let answer = match fate {
            Ok(()) => self.answer,
            Err(error) => Some(Err(error)),
        };
        // Without an answer the receiver sees that the sender is gone, as it does when it has gone itself.
        if let Some(answer) = answer {
            let _ = self.sender.send(answer);
        }
    }
}

impl fmt::Debug for dyn Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}
