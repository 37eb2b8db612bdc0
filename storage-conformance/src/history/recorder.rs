use std::sync::{Arc, Mutex, MutexGuard};

use storage_core::kv::Revision;
use tokio::time::Instant;

use super::operation::{Call, Moment, Operation, Outcome};

/// Writes down what clients do, while they do it. Its clones write into the same history.
///
/// A call is in the history from when it [began](Self::begin): should it never return it stays there as one whose
/// outcome is open. [`RecordedStorage`](super::RecordedStorage) does this for every call of a storage.
#[derive(Clone, Debug, Default)]
pub struct Recorder(Arc<Mutex<Record>>);

#[derive(Debug, Default)]
struct Record {
    /// How many moments there were.
    moments: u64,
    ended: usize,
    operations: Vec<Operation>,
}

/// A call that has begun. Dropping it leaves the call without an answer.
#[derive(Debug)]
#[must_use = "a call that does not end has an open outcome"]
pub struct Begun {
    record: Arc<Mutex<Record>>,
    index: usize,
}

impl Recorder {
    /// An empty history.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that a client is about to make a call, under the lock with this token if it is a fenced one. Within a
    /// Tokio runtime or without; the time is Tokio's.
    pub fn begin(&self, client: usize, fence: Option<Revision>, call: Call) -> Begun {
        let mut record = locked(&self.0);
        let invoked = record.moment();
        let outcome = Outcome::Pending;
        record.operations.push(Operation { client, call, fence, invoked, returned: None, outcome });
        Begun { record: Arc::clone(&self.0), index: record.operations.len() - 1 }
    }

    /// How many calls have returned.
    pub fn ended(&self) -> usize {
        locked(&self.0).ended
    }

    /// All calls so far, in the order in which they were made.
    pub fn history(&self) -> Vec<Operation> {
        locked(&self.0).operations.clone()
    }
}

impl Begun {
    /// Notes what the call has answered.
    pub fn end(self, outcome: Outcome) {
        let mut record = locked(&self.record);
        let returned = record.moment();
        record.ended += 1;
        let operation = &mut record.operations[self.index];
        (operation.returned, operation.outcome) = (Some(returned), outcome);
    }
}

impl Record {
    fn moment(&mut self) -> Moment {
        self.moments += 1;
        Moment { order: self.moments, at: Instant::now() }
    }
}

fn locked(record: &Mutex<Record>) -> MutexGuard<'_, Record> {
    record.lock().expect("nobody panics under it")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(path: &str) -> Call {
        Call::Load { path: path.to_owned() }
    }

    #[tokio::test(start_paused = true)]
    async fn moments_are_ordered_although_they_share_an_instant() {
        let recorder = Recorder::new();
        let first = recorder.begin(0, None, load("a"));
        let second = recorder.clone().begin(1, None, load("b"));
        second.end(Outcome::Exists(true));
        let third = recorder.begin(1, None, load("c"));
        first.end(Outcome::Exists(false));
        drop(third);
        let history = recorder.history();
        let orders: Vec<_> =
            history.iter().map(|op| (op.invoked.order, op.returned.map(|moment| moment.order))).collect();
        assert_eq!(orders, [(1, Some(5)), (2, Some(3)), (4, None)]);
        assert!(history.iter().all(|operation| operation.invoked.at == history[0].invoked.at));
        assert!(history[1].is_before(&history[2]) && !history[0].is_before(&history[2]));
        assert_eq!(recorder.ended(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_never_returned_is_open() {
        let recorder = Recorder::new();
        drop(recorder.begin(0, None, Call::Delete { path: "a".to_owned() }));
        assert!(recorder.history()[0].is_open_write());
    }
}
