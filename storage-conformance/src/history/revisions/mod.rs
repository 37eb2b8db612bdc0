//! The checker for histories of a store that counts revisions.

mod authors;
mod effects;
mod facts;
mod sweep;
mod timeline;

use self::authors::Authors;
use self::sweep::Order;
use self::timeline::Timeline;
use super::log::Log;
use super::operation::{Operation, Outcome};
use super::violation::{Rule, Violation};

/// Compares what clients were told with what the store's log says was done. The first 100 violations; none if all is
/// right.
///
/// - Every write that was acknowledged is in the log, whole, at the revision that was told; a deletion, which is told
///   none, as one of as many files. One that was refused or failed is not. One whose outcome is open is there once or
///   not, and not before it was asked for. Nothing is there that nobody asked for.
/// - Conditions hold where a write was done, and do not where it was refused.
/// - All that a call has read, counted or given as a reason is of one revision.
/// - The order of revisions is an order in which the calls can have been made, one after the other, each between its
///   invocation and its return.
/// - The tokens of a lock grow; who has taken it was first in its queue; what is written under a lock is written while its
///   holder is first in the queue.
///
/// So it is exact but for one thing: which of several deletions of the same files, or of several renames of the same
/// file, whose calls overlap, has made which change, is chosen in their favour.
///
/// It takes O(n log n) for n operations: a million in seconds.
///
/// # Panics
///
/// When two moments of the history have the same number.
pub fn check_revisions(history: &[Operation], log: &Log) -> Vec<Violation> {
    let mut violations = Violations::default();
    for operation in history {
        if let Outcome::Wrong(why) = &operation.outcome {
            violations
                .add(|| Violation::new(Rule::Answer, "an answer that can be right", why).with([operation]));
        }
    }
    let timeline = Timeline::new(log, &mut violations);
    if !violations.0.is_empty() {
        // What follows makes sense for the log of a tree.
        return violations.0;
    }
    let order = Order::of(history);
    let authors = Authors::find(history, log, &timeline, &order, &mut violations);
    effects::check(history, log, &timeline, &authors, &mut violations);
    order.check(&timeline, &authors.revisions, &mut violations);
    violations.0
}

/// What was found, up to a limit: more does not help.
#[derive(Debug, Default)]
struct Violations(Vec<Violation>);

impl Violations {
    const LIMIT: usize = 100;

    fn add(&mut self, violation: impl FnOnce() -> Violation) {
        if self.0.len() < Self::LIMIT {
            self.0.push(violation());
        }
    }
}
