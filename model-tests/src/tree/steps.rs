//! Random steps on two storages of one tree.

use std::time::Duration;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use storage_core::Version;

use super::listing::Listing;
use crate::Weather;

/// Something that is done through one of the clients.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) client: usize,
    pub(super) action: Action,
    pub(super) trouble: Option<Trouble>,
}

#[derive(Clone, Debug)]
pub(super) enum Action {
    Write(Write),
    Read(Read),
    OpenList(String, Listing),
    /// Takes so many entries from a listing.
    ReadList(usize, usize),
    Watch(String),
    /// After the change that came so many before the last one, or after the compacted revision.
    WatchAfter(String, Option<usize>),
    ReadWatch(usize),
    DropWatch(usize),
    Lock(String, Option<Duration>),
    TryLock(String),
    Unlock(usize),
    UnlockByName(String),
    Renew(usize),
    DropGuard(usize),
    Abandon(usize),
    /// A write that is fenced by one of the locks.
    Fenced(usize, Write),
    Locks,
    BreakLock(String),
    Reopen,
    EndLeases,
    BreakWatches,
    /// The watches of the client are told that changes are gone.
    LoseChanges,
    Sleep(Duration),
    /// Up to so many revisions before the newest.
    Compact(u64),
    Damage(String, Damage),
    /// Stores so many files, more than a page of a listing takes.
    Fill(u32),
}

#[derive(Clone, Debug)]
pub(super) enum Write {
    Store(String, Bytes),
    StoreMany(Vec<(String, Bytes)>),
    Create(String, Bytes),
    StoreIf(String, Bytes, Which),
    /// What becomes of `StoreIf` when it is made.
    StoreVersion(String, Bytes, Version),
    LoadOrStore(String, Bytes),
    Delete(String),
    DeleteFile(String),
    DeleteAll,
    Rename(String, String),
}

#[derive(Clone, Debug)]
pub(super) enum Read {
    Load(String),
    LoadMany(Vec<String>),
    Stat(String),
    Exists(String),
    List(String, Listing),
}

/// The version of a file.
#[derive(Clone, Copy, Debug)]
pub(super) enum Which {
    Current,
    Earlier,
    Later,
}

/// What somebody else does to a file in the store.
#[derive(Clone, Copy, Debug)]
pub(super) enum Damage {
    OtherContent,
    /// As long as that of before, so that only the checksum tells.
    SameLength,
    BrokenRecord,
    LaterRecord,
    NoContent,
    NoRecord,
    /// Content where there is no file.
    Orphan,
}

/// What goes wrong with some calls of an operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trouble {
    pub(super) fault: Kind,
    /// The first call that suffers it, and how many do.
    pub(super) first: u32,
    pub(super) count: u32,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Refuse,
    LoseAnswer,
    Late(Duration),
    Slow(Duration),
    Hang,
    NoSpace { applied: bool },
    EndLeases,
    DropWatches,
}

/// No call arrives later than this after it was made.
pub(super) const LATEST: Duration = Duration::from_secs(3);

pub(super) fn steps(weather: Weather) -> impl Strategy<Value = Vec<Step>> {
    let trouble = match weather {
        Weather::Fair => Just(None).boxed(),
        Weather::Foul => prop::option::weighted(0.4, trouble()).boxed(),
    };
    let step = (0..2_usize, action().boxed(), trouble);
    vec(step.prop_map(|(client, action, trouble)| Step { client, action, trouble }), 0..50)
}

/// Listings that take more than a page: what is written between their pages lies behind the first one.
pub(super) fn long_listings() -> impl Strategy<Value = Vec<Step>> {
    let behind =
        vec!["big/m", "big/m/x", "big/m/z", "big/m-1", "big/m-x", "big/n", "deep/er", "lock", "md/x"];
    let path = select(behind).prop_map(str::to_owned);
    let write = prop_oneof![
        3 => (path.clone(), content()).prop_map(|(path, content)| Action::Write(Write::Store(path, content))),
        2 => path.clone().prop_map(|path| Action::Write(Write::Delete(path))),
        1 => (path.clone(), path.clone()).prop_map(|(from, to)| Action::Write(Write::Rename(from, to))),
        1 => (0..4_u64).prop_map(Action::Compact),
    ];
    let listed = select(vec!["", "", "big", "big", "big/m", "a"]).prop_map(str::to_owned);
    let read_before = select(vec![0, 1, 998, 1_001]);
    let listing = (listed, Listing::any(path), read_before, vec(write.boxed(), 0..4));
    let round = (listing, 0..2_usize).prop_map(|((path, listing, count, writes), client)| {
        let stat = Action::Read(Read::Stat(path.clone()));
        let opened = [Action::OpenList(path, listing), Action::ReadList(0, count)];
        let read_to_the_end = [Action::ReadList(0, 2_000), stat];
        let actions = opened.into_iter().chain(writes).chain(read_to_the_end);
        actions.map(|action| Step { client, action, trouble: None }).collect::<Vec<_>>()
    });
    // The first page ends among the last names, where it matters what comes behind it.
    (993..1_001_u32, vec(round, 0..6)).prop_map(|(count, rounds)| {
        let filled = Step { client: 0, action: Action::Fill(count), trouble: None };
        [filled].into_iter().chain(rounds.into_iter().flatten()).collect()
    })
}

fn trouble() -> impl Strategy<Value = Trouble> {
    let short = (1..3_000_u64).prop_map(Duration::from_millis);
    let fault = prop_oneof![
        1 => Just(Kind::Refuse),
        3 => Just(Kind::LoseAnswer),
        3 => short.clone().prop_map(Kind::Late),
        1 => short.prop_map(Kind::Slow),
        1 => Just(Kind::Hang),
        1 => any::<bool>().prop_map(|applied| Kind::NoSpace { applied }),
        2 => Just(Kind::EndLeases),
        1 => Just(Kind::DropWatches),
    ];
    (fault, 1..5_u32, 1..4_u32).prop_map(|(fault, first, count)| Trouble { fault, first, count })
}

fn action() -> impl Strategy<Value = Action> {
    let number = || 0..4_usize;
    prop_oneof![
        24 => write().boxed().prop_map(Action::Write),
        14 => read().boxed().prop_map(Action::Read),
        2 => (place(), Listing::any(path())).prop_map(|(path, listing)| Action::OpenList(path, listing)),
        3 => (number(), 1..4_usize).prop_map(|(list, count)| Action::ReadList(list, count)),
        3 => place().prop_map(Action::Watch),
        2 => (place(), prop::option::of(0..6_usize)).prop_map(|(path, back)| Action::WatchAfter(path, back)),
        6 => number().prop_map(Action::ReadWatch),
        1 => number().prop_map(Action::DropWatch),
        7 => (lock(), prop::option::weighted(0.3, (1..200_u64).prop_map(|t| Duration::from_millis(t * 100 + 5))))
            .prop_map(|(name, deadline)| Action::Lock(name, deadline)),
        3 => lock().prop_map(Action::TryLock),
        4 => number().prop_map(Action::Unlock),
        1 => lock().prop_map(Action::UnlockByName),
        1 => number().prop_map(Action::Renew),
        1 => number().prop_map(Action::DropGuard),
        1 => number().prop_map(Action::Abandon),
        6 => (number(), write().boxed()).prop_map(|(guard, write)| Action::Fenced(guard, write)),
        1 => Just(Action::Locks),
        1 => lock().prop_map(Action::BreakLock),
        1 => Just(Action::Reopen),
        1 => Just(Action::EndLeases),
        1 => Just(Action::BreakWatches),
        1 => Just(Action::LoseChanges),
        3 => (1..600_u64).prop_map(|tenths| Action::Sleep(Duration::from_millis(tenths * 100))),
        2 => (0..4_u64).prop_map(Action::Compact),
        3 => (path(), damage()).prop_map(|(path, damage)| Action::Damage(path, damage)),
    ]
}

fn write() -> impl Strategy<Value = Write> {
    let which = select(vec![Which::Current, Which::Current, Which::Earlier, Which::Later]);
    prop_oneof![
        6 => (path(), content()).prop_map(|(path, content)| Write::Store(path, content)),
        2 => vec((path(), content()), 0..4).prop_map(Write::StoreMany),
        1 => (path(), content()).prop_map(|(path, content)| Write::Create(path, content)),
        2 => (path(), content(), which).prop_map(|(path, content, which)| Write::StoreIf(path, content, which)),
        1 => (path(), content()).prop_map(|(path, content)| Write::LoadOrStore(path, content)),
        3 => path().prop_map(Write::Delete),
        1 => path().prop_map(Write::DeleteFile),
        1 => Just(Write::DeleteAll),
        3 => (path(), path()).prop_map(|(from, to)| Write::Rename(from, to)),
    ]
}

fn read() -> impl Strategy<Value = Read> {
    prop_oneof![
        3 => path().prop_map(Read::Load),
        1 => vec(path(), 0..4).prop_map(Read::LoadMany),
        3 => place().prop_map(Read::Stat),
        1 => place().prop_map(Read::Exists),
        4 => (place(), Listing::any(path())).prop_map(|(path, listing)| Read::List(path, listing)),
    ]
}

fn damage() -> impl Strategy<Value = Damage> {
    select(vec![
        Damage::OtherContent,
        Damage::SameLength,
        Damage::BrokenRecord,
        Damage::LaterRecord,
        Damage::NoContent,
        Damage::NoRecord,
        Damage::Orphan,
    ])
}

/// Paths that collide, or come next to each other; now and then one that is none.
fn path() -> impl Strategy<Value = String> + Clone {
    let regular = vec![
        "a",
        "a",
        "a/b",
        "a/b",
        "a/b/c",
        "a/c",
        "ab",
        "a.b",
        "a-",
        "a-/x",
        "a0",
        "b",
        "b",
        "deep/er/and/deeper",
        "deep/er",
        "md/x",
        "lock",
        "big",
        "big/m",
        "big/m/x",
    ];
    let odd = vec!["", "/", "/a/", "a/b/", "//b", "a//b", ".", "..", "a/./b", "../a", "a\\b", "a\0", "a\nb"];
    prop_oneof![
        12 => select(regular).prop_map(str::to_owned),
        1 => select(odd).prop_map(str::to_owned),
        1 => Just("x".repeat(256)).prop_map(|long| long),
    ]
}

/// Paths of which many are directories.
fn place() -> impl Strategy<Value = String> {
    prop_oneof![3 => path(), 2 => select(vec!["", "a", "a"]).prop_map(str::to_owned)]
}

fn content() -> impl Strategy<Value = Bytes> {
    select(vec!["", "1", "2", "a longer one"]).prop_map(Bytes::from)
}

fn lock() -> impl Strategy<Value = String> {
    let names = vec!["a", "a", "a", "b", "b", "a/b", "50%", "", "x\n"];
    select(names).prop_map(str::to_owned)
}
