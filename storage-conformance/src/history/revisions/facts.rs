use bytes::Bytes;
use storage_core::kv::Revision;
use storage_core::{EntryKind, ErrorKind, Version};

use super::timeline::{BelowState, FileState, Timeline, print};
use crate::history::operation::{Call, Operation, Outcome};

/// Something that a call has told about the state of the tree. All that one call tells is of one revision.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fact<'h> {
    /// The file is of this version, and this is its content, if that was told.
    File(&'h str, Version, Option<&'h Bytes>),
    /// The path is a file.
    AnyFile(&'h str),
    /// The path is a file of another version.
    OtherFile(&'h str, Version),
    /// The path is no file.
    NoFile(&'h str),
    /// The path is a directory.
    Directory(&'h str),
    /// Nothing lies below the path.
    NoDirectory(&'h str),
    /// The path is a file or a directory.
    Something(&'h str),
    /// These files, and no others, lie below the path.
    Listing(&'h str, &'h [(String, Version)]),
    /// The place with this token is the first of its queue.
    Holder(Revision),
    /// The place with this token is gone.
    Gone(Revision),
}

impl<'h> Fact<'h> {
    /// Adds what the answer of a call tells about a state that it has not made.
    pub(super) fn told_by(operation: &'h Operation, facts: &mut Vec<Self>) {
        let nothing = |path| [Self::NoFile(path), Self::NoDirectory(path)];
        match (&operation.call, &operation.outcome) {
            (Call::Load { path } | Call::LoadOrStore { path, .. }, Outcome::Loaded(found)) => {
                facts.push(Self::File(path, found.version, Some(&found.content)));
            }
            (Call::LoadMany { paths }, Outcome::LoadedMany(found)) => {
                facts.extend(paths.iter().zip(found).map(|(path, found)| match found {
                    Some(found) => Self::File(path, found.version, Some(&found.content)),
                    None => Self::NoFile(path),
                }));
            }
            (Call::Stat { path }, Outcome::Stat(EntryKind::File, version)) => {
                facts.push(Self::File(path, *version, None));
            }
            // The root always is one.
            (Call::Stat { path }, Outcome::Stat(EntryKind::Directory, _)) if path.is_empty() => {}
            (Call::Stat { path }, Outcome::Stat(EntryKind::Directory, _)) => {
                facts.push(Self::Directory(path));
            }
            (Call::Exists { path }, Outcome::Exists(true)) if path.is_empty() => {}
            (Call::Exists { path }, Outcome::Exists(true)) => facts.push(Self::Something(path)),
            (Call::Exists { path }, Outcome::Exists(false)) => facts.extend(nothing(path)),
            (Call::List { path }, Outcome::Listed(files)) => facts.push(Self::Listing(path, files)),
            (Call::Delete { path } | Call::DeleteFile { path }, Outcome::Deleted(0)) => {
                facts.extend(nothing(path));
            }
            (Call::Lock { .. }, Outcome::Acquired(token)) => facts.push(Self::Holder(*token)),
            (Call::Unlock { token, .. }, Outcome::Released) => facts.push(Self::Gone(*token)),
            (call, Outcome::Refused { kind, path }) => match (kind, call) {
                (ErrorKind::NotFound, Call::StoreIf { .. } | Call::Rename { .. }) => {
                    facts.push(Self::NoFile(path));
                }
                (ErrorKind::NotFound, _) => facts.extend(nothing(path)),
                (ErrorKind::AlreadyExists | ErrorKind::NotADirectory, _) => facts.push(Self::AnyFile(path)),
                (ErrorKind::IsADirectory, _) if !path.is_empty() => facts.push(Self::Directory(path)),
                (ErrorKind::Conflict, Call::StoreIf { version, .. }) => {
                    facts.push(Self::OtherFile(path, *version));
                }
                _ => {}
            },
            _ => {}
        }
    }

    /// The first revision, not before `from`, at which this was so; `None` if it never was from there on.
    pub(super) fn first_from(&self, from: Revision, timeline: &Timeline<'_>) -> Option<Revision> {
        match *self {
            Self::File(path, version, content) => {
                let states = timeline.file(path);
                let index = states.binary_search_by_key(&version.revision(), |state| state.since).ok()?;
                let stored = states[index].content?;
                if content.is_some_and(|content| content != stored) {
                    return None;
                }
                let is_over = states.get(index + 1).is_some_and(|next| next.since <= from);
                (!is_over).then(|| from.max(version.revision()))
            }
            Self::AnyFile(path) => first_file(timeline.file(path), from, |state| state.content.is_some()),
            Self::OtherFile(path, version) => first_file(timeline.file(path), from, |state| {
                state.content.is_some() && state.since != version.revision()
            }),
            Self::NoFile(path) => first_file(timeline.file(path), from, |state| state.content.is_none()),
            Self::Directory(path) => first_below(timeline.below(path), from, |state| state.count > 0),
            Self::NoDirectory(path) => first_below(timeline.below(path), from, |state| state.count == 0),
            Self::Something(path) => {
                let file = Self::AnyFile(path).first_from(from, timeline);
                let directory = Self::Directory(path).first_from(from, timeline);
                file.into_iter().chain(directory).min()
            }
            Self::Listing(path, files) => {
                let sum = |sum: u64, (path, version): &(String, Version)| {
                    sum.wrapping_add(print(path, version.revision()))
                };
                let (count, print) = (files.len() as u64, files.iter().fold(0, sum));
                first_below(timeline.below(path), from, |state| (state.count, state.print) == (count, print))
            }
            Self::Holder(token) => {
                let place = timeline.place(token)?;
                let first = place.first?.max(from);
                place.went.is_none_or(|went| first < went).then_some(first)
            }
            Self::Gone(token) => Some(timeline.place(token)?.went?.max(from)),
        }
    }

    /// What the tree has to say of this from a revision on, for people.
    pub(super) fn history(&self, from: Revision, timeline: &Timeline<'_>) -> String {
        let file = |path: &str| {
            let states = timeline.file(path);
            let first = states.partition_point(|state| state.since <= from).saturating_sub(1);
            let shown = states[first..].iter().take(3).map(|state| match state.content {
                Some(content) => format!("{}: {content:?}", state.since),
                None => format!("{}: none", state.since),
            });
            format!("{path} was [{}]", shown.collect::<Vec<_>>().join(", "))
        };
        let below = |path: &str| {
            let states = timeline.below(path);
            let first = states.partition_point(|state| state.since <= from).saturating_sub(1);
            let shown =
                states[first..].iter().take(3).map(|state| format!("{}: {}", state.since, state.count));
            format!("files below {path} were [{}]", shown.collect::<Vec<_>>().join(", "))
        };
        match *self {
            Self::File(path, ..) | Self::AnyFile(path) | Self::OtherFile(path, _) | Self::NoFile(path) => {
                file(path)
            }
            Self::Directory(path) | Self::NoDirectory(path) | Self::Listing(path, _) => below(path),
            Self::Something(path) => format!("{}, {}", file(path), below(path)),
            Self::Holder(token) | Self::Gone(token) => match timeline.place(token) {
                None => format!("the place {token} never was"),
                Some(place) => {
                    format!("the place {token} was first at {:?} and went at {:?}", place.first, place.went)
                }
            },
        }
    }
}

fn first_file(
    states: &[FileState<'_>],
    from: Revision,
    is_right: impl Fn(&FileState<'_>) -> bool,
) -> Option<Revision> {
    let next = states.partition_point(|state| state.since <= from);
    let now =
        next.checked_sub(1).map_or(FileState { since: Revision::ZERO, content: None }, |now| states[now]);
    if is_right(&now) {
        return Some(from);
    }
    states[next..].iter().find(|state| is_right(state)).map(|state| state.since)
}

fn first_below(
    states: &[BelowState],
    from: Revision,
    is_right: impl Fn(&BelowState) -> bool,
) -> Option<Revision> {
    let next = states.partition_point(|state| state.since <= from);
    let empty = BelowState { since: Revision::ZERO, count: 0, print: 0 };
    let now = next.checked_sub(1).map_or(empty, |now| states[now]);
    if is_right(&now) {
        return Some(from);
    }
    states[next..].iter().find(|state| is_right(state)).map(|state| state.since)
}
