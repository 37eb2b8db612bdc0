//! What a process can do that was stopped while it held a lock, after another one has got it.
//!
//! Each case is run twice: through the guard, where nothing may happen, and past it, where the same has to do damage: else
//! the case could not tell.

mod support;

use std::time::Duration;

use cluster_tests::{At, Command, Event, Fence};
use support::{Node, Store, in_rounds, let_pass, on_all_stores, until};

const TTL: Duration = Duration::from_secs(2);

/// How many holders are stopped in a round of each kind.
const HOLDERS: usize = 5;

/// Where a holder is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stopped {
    /// After it has looked at the lock, before it has sent the transaction that writes: it cannot know better.
    BeforeSending,
    /// From outside, anywhere, while it writes as fast as it can.
    Anywhere,
}

#[test]
fn a_write_that_was_decided_on_before_the_process_stopped_is_refused_by_the_store() {
    stop_holders("stopped before sending", Stopped::BeforeSending);
}

#[test]
fn a_process_that_stops_in_the_middle_of_many_writes_makes_none_after_it() {
    stop_holders("stopped anywhere", Stopped::Anywhere);
}

fn stop_holders(case: &str, stopped: Stopped) {
    on_all_stores(case, |store| {
        let mut tally = Tally::default();
        in_rounds(|number| round(store, number, stopped, &mut tally));
        let Tally { fenced, refused, unfenced, overwritten } = tally;
        println!(
            "stopped_holder, {}, {case}: {refused} of {fenced} fenced writes refused; \
             {overwritten} of {unfenced} unfenced ones overwrote what the next holder had written",
            store.name(),
        );
        assert_eq!((refused, overwritten), (fenced, unfenced));
    });
}

#[derive(Default)]
struct Tally {
    fenced: usize,
    refused: usize,
    unfenced: usize,
    overwritten: usize,
}

fn round(store: &Store, round: u32, stopped: Stopped, tally: &mut Tally) {
    // The next holder is not to lose anything, however busy the machine is.
    let mut next = Node::start(store, Duration::from_secs(30));
    let mut holders = Vec::new();
    for fence in [Fence::Fenced, Fence::Unfenced] {
        for number in 0..HOLDERS {
            holders.push(Holder::stopped(store, format!("{fence:?}-{round}-{number}"), fence, stopped));
        }
    }
    let all_stopped = At::now();
    for holder in &holders {
        next.tell(&Command::Lock { lock: holder.name.clone() });
    }
    for holder in &holders {
        let (_, token) = next.locked(&holder.name);
        let (lock, path, content) = (holder.name.clone(), holder.path(), format!("next {token}"));
        next.tell(&Command::Store { lock, path, content, fence: Fence::Fenced });
        next.stored(&holder.path());
    }
    let_pass((2 * TTL).saturating_sub(all_stopped.elapsed()));
    for holder in &mut holders {
        let is_overwritten = holder.overwrites(&mut next);
        match holder.fence {
            Fence::Fenced => {
                tally.fenced += 1;
                tally.refused += usize::from(!is_overwritten);
            }
            Fence::Unfenced => {
                tally.unfenced += 1;
                tally.overwritten += usize::from(is_overwritten);
            }
        }
    }
}

/// A process that holds a lock, and is stopped.
struct Holder {
    node: Node,
    name: String,
    fence: Fence,
    stopped: Stopped,
}

impl Holder {
    fn stopped(store: &Store, name: String, fence: Fence, stopped: Stopped) -> Self {
        let mut holder = Self { node: Node::start(store, TTL), name, fence, stopped };
        let lock = || holder.name.clone();
        let (path, content) = (holder.path(), "first".to_owned());
        holder.node.tell(&Command::Lock { lock: lock() });
        holder.node.locked(&holder.name);
        match stopped {
            Stopped::BeforeSending => {
                // A fenced write that succeeds, so that the later one cannot be refused for another reason.
                let store = Command::Store { lock: lock(), path: path.clone(), content, fence };
                holder.node.tell(&store);
                holder.node.stored(&path);
                holder.node.tell(&Command::StopBeforeNextTxn);
                holder.node.tell(&store);
                holder.node.wait_until_stopped();
            }
            Stopped::Anywhere => {
                holder.node.tell(&Command::KeepStoring { lock: lock(), path: path.clone(), content, fence });
                holder.node.wait_for("writing", |event| matches!(event, Event::Writing { .. }).then_some(()));
                // Who is stopped in the middle of a write to a file keeps everybody out, and nothing can overtake it.
                until("it is stopped where others can write", || {
                    holder.node.stop();
                    let others_can_write = store.takes_writes();
                    if !others_can_write {
                        holder.node.resume();
                    }
                    others_can_write
                });
            }
        }
        holder
    }

    fn path(&self) -> String {
        format!("files/{}", self.name)
    }

    /// Lets it go on, and answers whether it has replaced what the next holder has written. If its writes are fenced they
    /// must have been refused, and the guard must say so.
    fn overwrites(&mut self, next: &mut Node) -> bool {
        let path = self.path();
        let written = next.load(&path);
        assert!(written.starts_with("next "), "{path} holds {written:?}");
        self.node.resume();
        match self.fence {
            Fence::Fenced => {
                assert_eq!(self.refusal(), "LockLost");
                self.node.lost(&self.name);
            }
            Fence::Unfenced => until("the stopped holder has written", || next.load(&path) != written),
        }
        if self.stopped == Stopped::Anywhere && self.fence == Fence::Unfenced {
            self.node.tell(&Command::StopStoring { lock: self.name.clone() });
        }
        next.load(&path) != written
    }

    /// The kind of the error with which its write was refused.
    fn refusal(&mut self) -> String {
        match self.stopped {
            Stopped::BeforeSending => {
                // It was sent all the same, and the store has decided.
                let answered = self.node.wait_for("answered", |event| match event {
                    Event::Answered { is_applied } => Some(*is_applied),
                    _ => None,
                });
                assert!(!answered.1, "{}: the store has applied it", self.name);
                self.node.failed()
            }
            Stopped::Anywhere => {
                let wrote = self.node.wait_for("wrote", |event| match event {
                    Event::Wrote { refusal, .. } => Some(refusal.clone()),
                    _ => None,
                });
                wrote.1.map_or_else(|| "none".to_owned(), |refusal| refusal.kind)
            }
        }
    }
}
