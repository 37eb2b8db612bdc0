//! The ways in which a call, and those behind it, can fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use storage_conformance::decorate::Fault;

use super::scene::{Client, LOCK_TIMEOUT};

/// What happens to one call, and what to all that follow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blow {
    first: Fault,
    then: Then,
    drops: Drops,
}

/// What happens to the calls that follow.
#[derive(Clone, Copy, Debug)]
enum Then {
    Nothing,
    /// Something to the next one.
    Once(Fault),
    /// Something to all.
    Always(Fault),
}

/// Whether the future is dropped while it hangs.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Drops {
    Never,
    Soon,
}

const SHORT: Duration = Duration::from_millis(1_505);
/// Longer than the lease of a session runs.
const LONG: Duration = Duration::from_millis(15_005);

const fn once(first: Fault) -> Blow {
    Blow { first, then: Then::Nothing, drops: Drops::Never }
}

const fn twice(first: Fault, second: Fault) -> Blow {
    Blow { first, then: Then::Once(second), drops: Drops::Never }
}

const fn and_then(first: Fault, then: Fault) -> Blow {
    Blow { first, then: Then::Always(then), drops: Drops::Never }
}

const fn dropped(first: Fault) -> Blow {
    Blow { first, then: Then::Nothing, drops: Drops::Soon }
}

pub(super) const BLOWS: &[Blow] = &[
    once(Fault::Refuse),
    once(Fault::LoseAnswer),
    once(Fault::Late(SHORT)),
    once(Fault::Late(LONG)),
    once(Fault::Slow(SHORT)),
    once(Fault::Slow(LONG)),
    once(Fault::Hang),
    once(Fault::NoSpace { applied: false }),
    once(Fault::NoSpace { applied: true }),
    once(Fault::EndLeases),
    once(Fault::DropWatches),
    // And something happens to what is done about it.
    twice(Fault::LoseAnswer, Fault::Refuse),
    twice(Fault::LoseAnswer, Fault::LoseAnswer),
    twice(Fault::LoseAnswer, Fault::Late(SHORT)),
    twice(Fault::LoseAnswer, Fault::NoSpace { applied: true }),
    twice(Fault::LoseAnswer, Fault::EndLeases),
    twice(Fault::Late(SHORT), Fault::Refuse),
    twice(Fault::Late(SHORT), Fault::LoseAnswer),
    twice(Fault::Late(SHORT), Fault::Late(SHORT)),
    twice(Fault::Late(SHORT), Fault::EndLeases),
    twice(Fault::Slow(SHORT), Fault::EndLeases),
    // An outage begins.
    and_then(Fault::Refuse, Fault::Refuse),
    and_then(Fault::LoseAnswer, Fault::Refuse),
    and_then(Fault::Late(SHORT), Fault::Refuse),
    and_then(Fault::LoseAnswer, Fault::LoseAnswer),
    and_then(Fault::Hang, Fault::Hang),
    // The caller gives up.
    dropped(Fault::Hang),
    dropped(Fault::Slow(SHORT)),
    dropped(Fault::Slow(LONG)),
];

impl Blow {
    /// Lets the call of this number suffer the fault; whether there was one is told by the answer.
    pub(super) fn prepare(self, client: &Client, call: u32) -> Arc<AtomicBool> {
        let (struck, calls) = (Arc::new(AtomicBool::new(false)), AtomicU32::new(0));
        let noted = Arc::clone(&struck);
        client.inject(move |_| {
            let number = calls.fetch_add(1, SeqCst) + 1;
            noted.fetch_or(number == call, SeqCst);
            match self.then {
                _ if number == call => Some(self.first),
                Then::Once(second) if number == call + 1 => Some(second),
                Then::Always(fault) if number > call => Some(fault),
                Then::Nothing | Then::Once(_) | Then::Always(_) => None,
            }
        });
        struck
    }

    pub(super) fn ends_leases(self) -> bool {
        matches!(self.first, Fault::EndLeases) || matches!(self.then, Then::Once(Fault::EndLeases))
    }

    /// How long the operation is waited for.
    pub(super) fn patience(self) -> Duration {
        match self.drops {
            Drops::Soon => Duration::from_secs(1),
            Drops::Never => Duration::from_secs(60),
        }
    }
}

/// Waits until every late call has arrived, and every lease that nobody renews has ended.
pub(super) async fn nothing_is_on_its_way() {
    tokio::time::sleep(LONG + 2 * LOCK_TIMEOUT).await;
}
