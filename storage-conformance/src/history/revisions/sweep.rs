use std::collections::HashMap;

use storage_core::kv::Revision;

use super::Violations;
use super::facts::Fact;
use super::timeline::Timeline;
use crate::history::operation::{Call, Operation, Outcome};
use crate::history::violation::{Rule, Violation};

/// The calls of a history and what they have told, in the order of time.
pub(super) struct Order<'h> {
    history: &'h [Operation],
    moments: Vec<Event>,
    facts: Vec<Fact<'h>>,
    /// Where the facts of each operation end.
    ends: Vec<usize>,
}

#[derive(Clone, Copy)]
enum Event {
    Invoked(usize),
    Returned(usize),
}

/// How far the store is known to have come, and who has told that.
#[derive(Clone, Copy)]
struct Floor {
    revision: Revision,
    told_by: Option<usize>,
}

impl<'h> Order<'h> {
    pub(super) fn of(history: &'h [Operation]) -> Self {
        let mut moments = Vec::with_capacity(2 * history.len());
        let (mut facts, mut ends) = (Vec::with_capacity(history.len()), Vec::with_capacity(history.len()));
        for (index, operation) in history.iter().enumerate() {
            moments.push((operation.invoked.order, Event::Invoked(index)));
            moments.extend(operation.returned.map(|returned| (returned.order, Event::Returned(index))));
            Fact::told_by(operation, &mut facts);
            ends.push(facts.len());
        }
        moments.sort_unstable_by_key(|(order, _)| *order);
        let are_distinct = moments.windows(2).all(|pair| pair[0].0 < pair[1].0);
        assert!(are_distinct, "two moments of a history have the same number");
        Self { history, moments: moments.into_iter().map(|(_, event)| event).collect(), facts, ends }
    }

    /// For each call the revision that the store had certainly reached when it was invoked, as far as it follows from
    /// the writes whose revisions are known, from what was read, and from the first revision that each deletion can
    /// have.
    pub(super) fn floors(
        &self,
        writes: &[Option<Revision>],
        timeline: &Timeline<'_>,
        first_deletion: impl Fn(usize, Revision) -> Option<Revision>,
    ) -> Vec<Revision> {
        let mut floors = vec![Revision::ZERO; self.history.len()];
        let find = |index: usize, from| match self.history[index].outcome {
            Outcome::Deleted(1..) => first_deletion(index, from),
            _ => first_of_all(self.facts(index), from, timeline),
        };
        self.sweep(writes, find, |index, floor, _| floors[index] = floor.revision);
        floors
    }

    /// Looks for what cannot have happened in the order of the revisions.
    pub(super) fn check(
        &self,
        timeline: &Timeline<'_>,
        writes: &[Option<Revision>],
        violations: &mut Violations,
    ) {
        let find = |index, from| first_of_all(self.facts(index), from, timeline);
        self.sweep(writes, find, |index, floor, placed| {
            let operation = &self.history[index];
            let before = floor.told_by.map(|index| &self.history[index]);
            match placed {
                Placed::At(_) => {}
                Placed::TooEarly(revision) => violations.add(|| {
                    let expected = format!("nothing of revision {revision} before it was asked for");
                    let seen = format!("the store had reached {}", floor.revision);
                    Violation::new(Rule::Order, expected, seen).with(before).with([operation])
                }),
                Placed::Nowhere => violations.add(|| {
                    let facts = self.facts(index).iter().take(3);
                    let known = facts.map(|fact| fact.history(floor.revision, timeline)).collect::<Vec<_>>();
                    let expected = format!("what was there from {} on: {}", floor.revision, known.join("; "));
                    let told = format!("{:?}", operation.outcome);
                    let is_of_lock = matches!(operation.call, Call::Lock { .. } | Call::Unlock { .. });
                    let rule = if is_of_lock { Rule::Lock } else { Rule::Read };
                    Violation::new(rule, expected, told).with(before).with([operation])
                }),
            }
        });
        self.check_tokens(violations);
    }

    /// Gives every call the earliest revision at which it can have been made, in the order of time: that of a write, or
    /// else what `find` finds for it from a revision on. If there is an order of the calls at all these revisions are
    /// one: a call may always be earlier as long as what it tells holds.
    fn sweep(
        &self,
        writes: &[Option<Revision>],
        find: impl Fn(usize, Revision) -> Option<Revision>,
        mut placed: impl FnMut(usize, Floor, Placed),
    ) {
        let mut floor = Floor { revision: Revision::ZERO, told_by: None };
        let mut revisions = vec![Revision::ZERO; self.history.len()];
        for event in &self.moments {
            match *event {
                Event::Invoked(index) => {
                    let place = match writes[index] {
                        Some(revision) if revision > floor.revision => Placed::At(revision),
                        Some(revision) => Placed::TooEarly(revision),
                        None => match find(index, floor.revision) {
                            Some(revision) => Placed::At(revision),
                            None => Placed::Nowhere,
                        },
                    };
                    placed(index, floor, place);
                    if let Placed::At(revision) = place {
                        revisions[index] = revision;
                    }
                }
                Event::Returned(index) => {
                    // Who does not know what has become of his call does not tell that it was done.
                    let tells = !self.history[index].outcome.is_open();
                    if tells && revisions[index] > floor.revision {
                        floor = Floor { revision: revisions[index], told_by: Some(index) };
                    }
                }
            }
        }
    }

    fn check_tokens(&self, violations: &mut Violations) {
        // The token that was told last, for each lock, and by whom.
        let mut last: HashMap<&str, (Revision, usize)> = HashMap::new();
        let mut at_invocation: HashMap<usize, (Revision, usize)> = HashMap::new();
        for event in &self.moments {
            let (Event::Invoked(index) | Event::Returned(index)) = *event;
            let operation = &self.history[index];
            let (Call::Lock { name }, Outcome::Acquired(token)) = (&operation.call, &operation.outcome)
            else {
                continue;
            };
            if let Event::Invoked(_) = event {
                at_invocation.extend(last.get(name.as_str()).map(|last| (index, *last)));
                continue;
            }
            if let Some((before, other)) = at_invocation.remove(&index)
                && before >= *token
            {
                violations.add(|| {
                    let expected = format!("a token greater than {before}");
                    let operations = [&self.history[other], operation];
                    Violation::new(Rule::Lock, expected, token.to_string()).with(operations)
                });
            }
            let newest = last.entry(name).or_insert((*token, index));
            if newest.0 < *token {
                *newest = (*token, index);
            } else if newest.0 == *token && newest.1 != index {
                violations.add(|| {
                    let operations = [&self.history[newest.1], operation];
                    Violation::new(Rule::Lock, "a token for each acquisition", token.to_string())
                        .with(operations)
                });
            }
        }
    }

    fn facts(&self, index: usize) -> &[Fact<'h>] {
        let begin = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.facts[begin..self.ends[index]]
    }
}

/// Where a call belongs in the order of revisions.
#[derive(Clone, Copy)]
enum Placed {
    At(Revision),
    /// It is a write of this revision, which was over when it was asked for.
    TooEarly(Revision),
    /// What it tells was never so.
    Nowhere,
}

/// The first revision, not before `from`, at which all of this was so.
fn first_of_all(facts: &[Fact<'_>], from: Revision, timeline: &Timeline<'_>) -> Option<Revision> {
    let mut at = from;
    loop {
        let before = at;
        for fact in facts {
            at = fact.first_from(at, timeline)?;
        }
        if at == before {
            return Some(at);
        }
    }
}
