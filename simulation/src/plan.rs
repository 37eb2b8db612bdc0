use std::time::Duration;

use crate::chance::{Chance, Part};

/// What a seed is about. Every seed has some of the faults and events, so that each also meets a world without the others.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) clients: usize,
    /// The tasks of each client.
    pub(crate) tasks: usize,
    /// What each task does, one after the other.
    pub(crate) steps: usize,
    /// The longest pause between two steps of a task.
    pub(crate) pause: Duration,
    /// Of a thousand steps, how many are about locks.
    pub(crate) locking: u64,
    /// Of a thousand calls, how many are dropped before they have returned.
    pub(crate) dropped: u64,
    pub(crate) lock_timeout: Duration,
    pub(crate) request_timeout: Duration,
    /// How long a client's network tries, before it says that there was no answer.
    pub(crate) call_timeout: Duration,
    /// How many locks they share.
    pub(crate) locks: usize,
    /// The longest usual way of a call or an answer in milliseconds: each client has one of these.
    pub(crate) ways: &'static [u64],
    /// Of a thousand ways, how many take longer, and how long at most.
    pub(crate) detours: u64,
    pub(crate) longest_way: Duration,
    /// Single calls that go wrong.
    pub(crate) mishaps: Vec<(Mishap, u64)>,
    pub(crate) full: Full,
    pub(crate) events: Vec<Event>,
    /// The longest time between two events.
    pub(crate) event_pause: Duration,
}

/// What happens to a single call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mishap {
    Refuse,
    LoseAnswer,
    Late,
    Slow,
    Hang,
    NoSpace,
}

/// What a store refuses that is full.
///
/// What is deleted while not even the record of a deletion can be put cannot be found out about later, see decision 9:
/// so either those deletions are let through, or no answers to writes of files are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// What puts something, unless it also deletes files.
    Puts,
    /// What puts something.
    Deletions,
}

/// What happens to a client or the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A client cannot connect for a while.
    Refuse,
    /// Nothing comes back to a client for a while.
    OneWay,
    /// A client's calls go nowhere for a while.
    BlackHole,
    /// A client's process is stopped, and goes on later.
    Stop,
    /// A client's clocks jump forward.
    Jump,
    /// A client ends without a word, and another takes its place.
    Crash,
    /// A client ends as it should, and another takes its place.
    Restart,
    /// The store gives up its history.
    Compact,
    /// The watches of a client break.
    DropWatches,
    /// The watches of a client are told that they came too late.
    CompactWatches,
    /// Somebody ends a client's lease.
    Revoke,
    /// Somebody breaks a lock.
    BreakLock,
}

const MISHAPS: [Mishap; 6] =
    [Mishap::Refuse, Mishap::LoseAnswer, Mishap::Late, Mishap::Slow, Mishap::Hang, Mishap::NoSpace];

const EVENTS: [Event; 12] = [
    Event::Refuse,
    Event::OneWay,
    Event::BlackHole,
    Event::Stop,
    Event::Jump,
    Event::Crash,
    Event::Restart,
    Event::Compact,
    Event::DropWatches,
    Event::CompactWatches,
    Event::Revoke,
    Event::BreakLock,
];

impl Plan {
    pub(crate) fn of(seed: u64) -> Self {
        let mut chance = Chance::of(seed, Part::Plan, 0);
        let mut mishaps = Vec::new();
        for mishap in MISHAPS {
            if chance.happens(400) {
                mishaps.push((mishap, chance.pick(&[5, 20, 60, 150])));
            }
        }
        let full = chance.pick(&[Full::Puts, Full::Deletions]);
        // What was sent to a full store before does not arrive later: it has no room for that either.
        let is_full = mishaps.iter().any(|(mishap, _)| *mishap == Mishap::NoSpace);
        mishaps.retain(|(mishap, _)| !is_full || ![Mishap::Late, Mishap::Slow].contains(mishap));
        let mut events: Vec<Event> = EVENTS.into_iter().filter(|_| chance.happens(400)).collect();
        let loses_no_answer = is_full && full == Full::Deletions;
        if loses_no_answer {
            mishaps.retain(|(mishap, _)| [Mishap::Refuse, Mishap::NoSpace].contains(mishap));
            events.retain(|event| !event.loses_answers());
        }
        if !chance.happens(250) {
            events.retain(|event| !event.is_of_operators());
        }
        Self {
            clients: chance.pick(&[2, 2, 3, 4]),
            tasks: chance.pick(&[1, 1, 2, 3]),
            steps: chance.pick(&[6, 10, 16]),
            pause: chance.millis(1, 1_500),
            locking: chance.pick(&[50, 300, 700]),
            dropped: chance.pick(&[0, 50, 200]),
            lock_timeout: chance.millis(2_000, 6_000),
            request_timeout: chance.millis(2_000, 9_000),
            call_timeout: chance.millis(1_000, 5_000),
            locks: chance.pick(&[1, 1, 2]),
            ways: if loses_no_answer { &[0, 5, 20] } else { &[0, 5, 5, 20, 150, 400] },
            detours: if loses_no_answer { 0 } else { chance.pick(&[0, 20, 100]) },
            longest_way: chance.millis(100, 6_000),
            mishaps,
            full,
            events,
            event_pause: chance.millis(500, 6_000),
        }
    }

    /// Whether locks are taken from their holders: then a holder believes in its lock for a moment after it has lost it.
    pub(crate) fn has_operators(&self) -> bool {
        self.events.iter().any(|event| event.is_of_operators())
    }

    /// Whether watches may have to begin anew.
    pub(crate) fn gives_history_up(&self) -> bool {
        self.events.iter().any(|event| [Event::Compact, Event::CompactWatches].contains(event))
    }
}

impl Mishap {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Refuse => "fault: refused",
            Self::LoseAnswer => "fault: answer lost",
            Self::Late => "fault: late",
            Self::Slow => "fault: slow",
            Self::Hang => "fault: hangs",
            Self::NoSpace => "fault: no space",
        }
    }
}

impl Event {
    fn is_of_operators(self) -> bool {
        [Self::Revoke, Self::BreakLock].contains(&self)
    }

    fn loses_answers(self) -> bool {
        [Self::OneWay, Self::BlackHole, Self::Stop].contains(&self)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Refuse => "event: connections refused",
            Self::OneWay => "event: answers cut off",
            Self::BlackHole => "event: calls cut off",
            Self::Stop => "event: client stopped",
            Self::Jump => "event: clocks jumped",
            Self::Crash => "event: client crashed",
            Self::Restart => "event: client restarted",
            Self::Compact => "event: store compacted",
            Self::DropWatches => "event: watches dropped",
            Self::CompactWatches => "event: watches compacted",
            Self::Revoke => "event: lease revoked",
            Self::BreakLock => "event: lock broken",
        }
    }
}
