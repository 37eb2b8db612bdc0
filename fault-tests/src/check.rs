//! Whether what clients were told is what was done.
//!
//! Every file has one writer, who makes one call at a time. So the transactions on its files must be its calls, in order:
//! each call that was acknowledged exactly once and at the revision that was told, each that failed not at all, each
//! whose outcome stayed unknown at most once. Reads, of anybody, must show a state that the file had while they ran.

use std::collections::{BTreeMap, HashMap};

use storage_core::Version;
use storage_core::kv::Revision;
use tokio::time::Instant;

use crate::history::{Call, Done, Outcome};
use crate::log::{Log, Transaction};

/// What is wrong.
#[derive(Debug, Default)]
pub(crate) struct Violations(pub(crate) Vec<String>);

/// Compares what clients were told with what was done.
pub(crate) fn check(history: &[Done], log: &Log) -> Violations {
    let mut violations = Violations::default();
    let mut times = HashMap::new();
    let clients = history.iter().map(|done| done.client).max().map_or(0, |last| last + 1);
    for client in 0..clients {
        let calls = history.iter().filter(|done| done.client == client);
        writer(client, calls, log, &mut times, &mut violations);
    }
    reads(history, log, &times, &mut violations);
    violations
}

/// When the call that has made a transaction ran; without an end if it was never acknowledged.
type Times = HashMap<Revision, (Instant, Option<Instant>)>;

fn writer<'h>(
    client: usize,
    calls: impl Iterator<Item = &'h Done>,
    log: &Log,
    times: &mut Times,
    violations: &mut Violations,
) {
    let prefix = format!("c{client}/");
    let is_own = |transaction: &Transaction| transaction.0.keys().any(|path| path.starts_with(&prefix));
    let mut done: Vec<_> = log.0.iter().filter(|(_, transaction)| is_own(transaction)).collect();
    done.reverse();
    // Calls that may have been applied, or may be later.
    let mut open: Vec<&Done> = Vec::new();
    for call in calls {
        match &call.outcome {
            Outcome::Wrote(version) => {
                take_open(&mut open, &mut done, times, |revision, _| revision < version.revision());
                match done.pop() {
                    Some((revision, transaction))
                        if *revision == version.revision() && is_of(&call.call, transaction) =>
                    {
                        times.insert(*revision, (call.began, Some(call.ended)));
                    }
                    other => violations.0.push(format!("{call:?} was acknowledged, but next was {other:?}")),
                }
            }
            Outcome::Deleted(count @ 1..) => {
                take_open(&mut open, &mut done, times, |_, transaction| {
                    !(is_of(&call.call, transaction) && transaction.0.len() as u64 == *count)
                });
                match done.pop() {
                    Some((revision, transaction))
                        if is_of(&call.call, transaction) && transaction.0.len() as u64 == *count =>
                    {
                        times.insert(*revision, (call.began, Some(call.ended)));
                    }
                    other => violations.0.push(format!("{call:?} was acknowledged, but next was {other:?}")),
                }
            }
            Outcome::Unknown(_) => open.push(call),
            Outcome::Deleted(0) | Outcome::Read(_) | Outcome::Refused(_) | Outcome::Failed(..) => {}
        }
    }
    take_open(&mut open, &mut done, times, |_, _| true);
    for (revision, transaction) in done {
        violations.0.push(format!("nobody was told of {transaction:?} at {revision}"));
    }
}

/// Takes transactions that calls without an outcome have made, as long as they come before something.
fn take_open<'l>(
    open: &mut Vec<&Done>,
    done: &mut Vec<(&'l Revision, &'l Transaction)>,
    times: &mut Times,
    is_before: impl Fn(Revision, &Transaction) -> bool,
) {
    while let Some((revision, transaction)) = done.last().copied() {
        let maker = open.iter().position(|call| is_of(&call.call, transaction));
        let Some(maker) = maker.filter(|_| is_before(*revision, transaction)) else { return };
        times.insert(*revision, (open.remove(maker).began, None));
        done.pop();
    }
}

/// Whether a transaction is what this call does.
fn is_of(call: &Call, transaction: &Transaction) -> bool {
    let files = &transaction.0;
    match call {
        Call::Store(stored) => {
            stored.len() == files.len()
                && stored.iter().all(|(path, content)| files.get(path) == Some(&Some(content.clone())))
        }
        Call::Delete(path) => {
            let below = format!("{path}/");
            files
                .iter()
                .all(|(file, content)| content.is_none() && (file == path || file.starts_with(&below)))
        }
        Call::Rename(from, to) => {
            files.len() == 2 && files.get(from) == Some(&None) && files.get(to).is_some_and(Option::is_some)
        }
        Call::Load(_) => false,
    }
}

/// A read, and what it has found.
type Read<'h> = (&'h Done, Option<&'h (String, Version)>);

/// A state of a file: since when, and its content.
struct State<'l> {
    revision: Revision,
    content: Option<&'l str>,
}

fn reads(history: &[Done], log: &Log, times: &Times, violations: &mut Violations) {
    let mut states: BTreeMap<&str, Vec<State<'_>>> = BTreeMap::new();
    for (revision, transaction) in &log.0 {
        for (path, content) in &transaction.0 {
            let state = State { revision: *revision, content: content.as_deref() };
            states.entry(path).or_default().push(state);
        }
    }
    let mut by_path: BTreeMap<&str, Vec<Read<'_>>> = BTreeMap::new();
    for done in history {
        if let (Call::Load(path), Outcome::Read(found)) = (&done.call, &done.outcome) {
            by_path.entry(path).or_default().push((done, found.as_ref()));
        }
    }
    for (path, mut reads) in by_path {
        let none = Vec::new();
        let states = states.get(path).unwrap_or(&none);
        // What must be visible from some moment on: what was acknowledged, and what somebody has seen.
        let mut visible: Vec<(Instant, Revision)> = Vec::new();
        let ended = |state: &State<'_>| times.get(&state.revision).and_then(|(_, ended)| *ended);
        visible.extend(states.iter().filter_map(|state| Some((ended(state)?, state.revision))));
        visible.extend(reads.iter().filter_map(|(done, found)| Some((done.ended, (*found)?.1.revision()))));
        visible.sort_unstable();
        reads.sort_unstable_by_key(|(done, _)| done.began);
        let (mut next, mut least) = (0, Revision::ZERO);
        for (done, found) in reads {
            while visible.get(next).is_some_and(|(since, _)| *since < done.began) {
                least = least.max(visible[next].1);
                next += 1;
            }
            let began = |state: &State<'_>| times.get(&state.revision).map(|(began, _)| *began);
            let possible = |state: &&State<'_>| began(state).is_none_or(|began| began <= done.ended);
            let newer = states.iter().filter(|state| state.revision >= least).filter(possible);
            let is_right = match found {
                Some((content, version)) => newer.into_iter().any(|state| {
                    state.revision == version.revision() && state.content == Some(content.as_str())
                }),
                // Before its first state there is none.
                None => least == Revision::ZERO || newer.into_iter().any(|state| state.content.is_none()),
            };
            if !is_right {
                violations.0.push(format!("{done:?} shows what was not there from {least} on"));
            }
        }
    }
}

#[cfg(test)]
mod tests;
