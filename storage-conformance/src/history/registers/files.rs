use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use bytes::Bytes;
use storage_core::{EntryKind, ErrorKind, Version};

use super::{Effect, Guard, NotLinearizable, RegisterCall, check_register};
use crate::history::operation::{Call, Loaded, Operation, Outcome};
use crate::history::violation::{Rule, Violation};

/// What became of looking at each file of a history by itself.
#[derive(Clone, Debug, Default)]
pub struct RegistersChecked {
    /// What is wrong.
    pub violations: Vec<Violation>,
    /// How many files were looked at.
    pub files: usize,
    /// The files that were not: somebody has moved a file there, and nobody was told with which content; or too many
    /// calls overlap.
    pub left_out: Vec<String>,
}

/// Looks, for each file by itself, for an order of the calls that explains all that was told. The log is not asked: this
/// is for histories of a store that counts no revisions, and a second opinion on others. The tree is empty at first.
///
/// That files of a group change together, which files a deletion of a directory has counted, and the locks, is not seen
/// this way: [`check_revisions`](crate::history::check_revisions) sees that.
///
/// # Panics
///
/// When two moments of the history have the same number.
pub fn check_registers(history: &[Operation]) -> RegistersChecked {
    let mut registers = Registers::new(history);
    for (index, operation) in history.iter().enumerate() {
        registers.add(index, operation);
    }
    let mut checked = RegistersChecked::default();
    for (path, calls) in registers.calls {
        if registers.moved_to.contains(path) {
            checked.left_out.push(path.to_owned());
            continue;
        }
        let (operations, calls): (Vec<usize>, Vec<_>) = calls.into_iter().unzip();
        match check_register(&calls) {
            Ok(()) => checked.files += 1,
            Err(NotLinearizable::TooManyAtOnce { .. }) => checked.left_out.push(path.to_owned()),
            Err(NotLinearizable::Stuck { call, prefix, values }) => {
                checked.files += 1;
                let expected = format!("{path} to hold one of {values:?} after {prefix} calls on it");
                let seen = format!("{:?}, {:?}", calls[call].guard, calls[call].effect);
                let violation = Violation::new(Rule::Linearizable, expected, seen);
                checked.violations.push(violation.with([&history[operations[call]]]));
            }
        }
    }
    checked
}

/// The calls on each file, with the operations that they are parts of.
struct Registers<'h> {
    calls: BTreeMap<&'h str, Vec<(usize, RegisterCall<&'h Bytes>)>>,
    /// The contents of all versions that anybody was told.
    contents: HashMap<(&'h str, Version), &'h Bytes>,
    /// Where files were moved to, whose contents nobody was told.
    moved_to: BTreeSet<&'h str>,
}

impl<'h> Registers<'h> {
    fn new(history: &'h [Operation]) -> Self {
        let mut registers =
            Self { calls: BTreeMap::new(), contents: HashMap::new(), moved_to: BTreeSet::new() };
        for operation in history {
            for path in operation.call.paths() {
                registers.calls.entry(path).or_default();
            }
            match (&operation.call, &operation.outcome) {
                (Call::Store { files }, Outcome::Wrote(version)) => {
                    registers
                        .contents
                        .extend(files.iter().map(|(path, content)| ((&**path, *version), content)));
                }
                (
                    Call::Create { path, content }
                    | Call::StoreIf { path, content, .. }
                    | Call::LoadOrStore { path, content },
                    Outcome::Wrote(version),
                ) => drop(registers.contents.insert((path, *version), content)),
                (Call::Load { path } | Call::LoadOrStore { path, .. }, Outcome::Loaded(found)) => {
                    registers.contents.insert((path, found.version), &found.content);
                }
                (Call::Rename { to, .. }, Outcome::Wrote(_) | Outcome::Unknown(_) | Outcome::Pending) => {
                    registers.moved_to.insert(to);
                }
                _ => {}
            }
        }
        registers
    }

    fn add(&mut self, index: usize, operation: &'h Operation) {
        let (call, outcome) = (&operation.call, &operation.outcome);
        let done = matches!(outcome, Outcome::Wrote(_)) || outcome.is_open();
        let present = || (Guard::IsNot(None), Effect::Keeps);
        let absent = || (Guard::Is(None), Effect::Keeps);
        let mut tell = |path, (guard, effect)| self.tell(index, operation, path, guard, effect);
        match (call, outcome) {
            (Call::Store { files }, _) if done => {
                for (path, content) in files {
                    tell(path, (Guard::Any, Effect::Becomes(Some(content))));
                }
            }
            (Call::Create { path, content } | Call::LoadOrStore { path, content }, _) if done => {
                tell(path, (Guard::Is(None), Effect::Becomes(Some(content))));
            }
            (Call::StoreIf { path, content, version }, _) if done => {
                let guard = match self.contents.get(&(path, *version)) {
                    Some(expected) => Guard::Is(Some(*expected)),
                    None => Guard::IsNot(None),
                };
                self.tell(index, operation, path, guard, Effect::Becomes(Some(content)));
            }
            (Call::StoreIf { path, version, .. }, Outcome::Refused { kind: ErrorKind::Conflict, .. }) => {
                let expected = self.contents.get(&(path, *version)).copied();
                self.tell(index, operation, path, Guard::IsNot(expected), Effect::Keeps);
            }
            (Call::Rename { from, .. }, _) if done => {
                tell(from, (Guard::IsNot(None), Effect::Becomes(None)));
            }
            (Call::DeleteFile { path }, Outcome::Deleted(1..) | Outcome::Unknown(_) | Outcome::Pending) => {
                tell(path, (Guard::IsNot(None), Effect::Becomes(None)));
            }
            (Call::Delete { path }, _) => self.delete(index, operation, path),
            (Call::Load { path } | Call::LoadOrStore { path, .. }, Outcome::Loaded(found)) => {
                tell(path, (Guard::Is(Some(&found.content)), Effect::Keeps));
            }
            (Call::LoadMany { paths }, Outcome::LoadedMany(found)) => {
                for (path, found) in paths.iter().zip(found) {
                    let content = found.as_ref().map(|Loaded { content, .. }| content);
                    tell(path, (Guard::Is(content), Effect::Keeps));
                }
            }
            (Call::Stat { path }, Outcome::Stat(EntryKind::File, version)) => {
                self.file_is_there(index, operation, path, *version);
            }
            (Call::DeleteFile { path }, Outcome::Deleted(0))
            | (Call::Stat { path }, Outcome::Stat(EntryKind::Directory, _)) => tell(path, absent()),
            (Call::Exists { path }, Outcome::Exists(false)) => {
                for file in self.at_or_below(path) {
                    self.tell(index, operation, file, Guard::Is(None), Effect::Keeps);
                }
            }
            (Call::List { path }, Outcome::Listed(files)) => {
                let listed: BTreeMap<&str, Version> =
                    files.iter().map(|(path, version)| (path.as_str(), *version)).collect();
                for file in self.at_or_below(path) {
                    match listed.get(file) {
                        Some(version) => self.file_is_there(index, operation, file, *version),
                        None => self.tell(index, operation, file, Guard::Is(None), Effect::Keeps),
                    }
                }
            }
            (_, Outcome::Refused { kind, path }) => match kind {
                ErrorKind::NotFound | ErrorKind::IsADirectory => tell(path, absent()),
                ErrorKind::AlreadyExists | ErrorKind::NotADirectory => tell(path, present()),
                _ => {}
            },
            _ => {}
        }
    }

    fn delete(&mut self, index: usize, operation: &'h Operation, path: &str) {
        let files = self.at_or_below(path);
        let is_one = files.len() == 1;
        for file in files {
            let (guard, effect) = match operation.outcome {
                Outcome::Deleted(0) => (Guard::Is(None), Effect::Keeps),
                Outcome::Deleted(_) if is_one => (Guard::IsNot(None), Effect::Becomes(None)),
                Outcome::Deleted(_) | Outcome::Unknown(_) | Outcome::Pending => {
                    (Guard::Any, Effect::Becomes(None))
                }
                _ => return,
            };
            self.tell(index, operation, file, guard, effect);
        }
    }

    fn file_is_there(&mut self, index: usize, operation: &'h Operation, path: &str, version: Version) {
        let guard = match self.contents.get(&(path, version)) {
            Some(content) => Guard::Is(Some(*content)),
            None => Guard::IsNot(None),
        };
        self.tell(index, operation, path, guard, Effect::Keeps);
    }

    /// All files with this path or below it that anybody has named.
    fn at_or_below(&self, path: &str) -> Vec<&'h str> {
        let below = if path.is_empty() { String::new() } else { format!("{path}/") };
        let mut files: Vec<_> = self.calls.get_key_value(path).map(|(path, _)| *path).into_iter().collect();
        let behind = self
            .calls
            .range::<str, _>((Bound::Included(below.as_str()), Bound::Unbounded))
            .map(|(path, _)| *path);
        files.extend(behind.take_while(|file| file.starts_with(&below)).filter(|file| *file != path));
        files
    }

    fn tell(
        &mut self,
        index: usize,
        operation: &'h Operation,
        path: &str,
        guard: Guard<&'h Bytes>,
        effect: Effect<&'h Bytes>,
    ) {
        let returned = operation.returned.filter(|_| !operation.outcome.is_open());
        let invoked = operation.invoked.order;
        let call = RegisterCall { invoked, returned: returned.map(|moment| moment.order), guard, effect };
        // A call that names a file twice is one call on it.
        if let Some(calls) = self.calls.get_mut(path)
            && calls.last().is_none_or(|(last, _)| *last != index)
        {
            calls.push((index, call));
        }
    }
}
