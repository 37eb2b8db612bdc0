//! Work that a signal ends in order, so that it can be said what was done.

use futures::Stream;
use futures::StreamExt;

use crate::failure::Failure;
use crate::signals::{Received, Signals};

/// The next item, unless a signal comes first.
pub(super) async fn next<S: Stream + Unpin>(
    signals: &mut Signals,
    items: &mut S,
) -> Result<Option<S::Item>, Received> {
    tokio::select! {
        biased;
        received = signals.next() => Err(received),
        item = items.next() => Ok(item),
    }
}

/// The failure of a command that a signal has ended, with what it has done until then.
pub(super) fn interrupted(command: &str, received: Received, done: &str) -> Failure {
    Failure::new(received.exit(), "interrupted", format!("{command}: interrupted; {done}"))
}
