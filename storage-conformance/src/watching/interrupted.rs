//! Connections that break, streams that are resumed, changes that the store has given up.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use storage_core::kv::Revision;
use storage_core::{ChangeKind, ChangeStream, ErrorKind, ListOptions, WatchEvent};

use super::support::{changes, expect, expect_resync, next, revision};
use crate::decorate::{Call, Fault, Faulty};
use crate::files::support::{open, open_with, options};
use crate::locks::lost_answers::first;
use crate::tree::{FaultyTree, Tree};
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["FS-WATCH-6"], nothing_is_missed_or_repeated_when_connections_break),
    case!(["FS-WATCH-6"], an_outage_is_waited_out),
    case!(["FS-WATCH-10"], many_changes_at_once_are_too_many_for_nobody_who_keeps_up),
    case!(["FS-WATCH-7"], a_watch_is_resumed_where_another_ended),
    case!(["FS-WATCH-7"], a_resumed_watch_beside_running_ones_replays_what_was_missed),
    case!(["FS-WATCH-7"], a_resumed_watch_survives_a_broken_connection),
    case!(["FS-WATCH-8"], what_was_compacted_away_is_a_resync_for_who_resumes),
    case!(["FS-WATCH-6", "FS-WATCH-8"], who_resumes_after_a_compaction_waits_an_outage_out),
    case!(["FS-WATCH-8"], what_was_compacted_away_is_a_resync_for_all),
    case!(["FS-WATCH-8"], a_resync_is_not_followed_by_what_was_told_before_it),
    case!(["FS-WATCH-6", "FS-WATCH-8"], who_has_caught_up_is_told_of_no_gap_that_others_had),
    case!(["FS-WATCH-8"], after_a_resync_a_list_and_what_follows_are_the_tree),
];

async fn open_faulty(context: &Context) -> FaultyTree {
    Tree::open_through(context, Faulty::new(context.client().await), options(context)).await.unwrap()
}

async fn nothing_is_missed_or_repeated_when_connections_break(context: Context) {
    let (tree, writer) = (open_faulty(&context).await, open(&context).await);
    let mut stream = tree.watch("").await.unwrap();
    let mut expected = Vec::new();
    for round in 0..60 {
        expected.push(revision(&writer.store(&format!("f{}", round % 7), "x").await.unwrap()));
        match round % 6 {
            1 => tree.backend().drop_watches(),
            3 => tokio::task::yield_now().await,
            _ => {}
        }
    }
    let seen = changes(&mut stream, expected.len()).await;
    assert_eq!(seen.iter().map(|(_, revision)| *revision).collect::<Vec<_>>(), expected);
}

async fn an_outage_is_waited_out(context: Context) {
    let (tree, writer) = (open_faulty(&context).await, open(&context).await);
    let mut stream = tree.watch("").await.unwrap();
    let first = revision(&writer.store("a", "1").await.unwrap());
    expect(&mut stream, &[("+a", first)]).await;
    tree.backend().inject(|call| matches!(call, Call::Watch(..)).then_some(Fault::Refuse));
    tree.backend().drop_watches();
    let second = revision(&writer.store("a", "2").await.unwrap());
    context.sleep(Duration::from_millis(300)).await;
    assert!(futures::FutureExt::now_or_never(stream.next()).is_none());
    tree.backend().heal();
    expect(&mut stream, &[("~a", second)]).await;
}

async fn many_changes_at_once_are_too_many_for_nobody_who_keeps_up(context: Context) {
    const CHANGES: usize = 1500;
    let (tree, writer) = (open_faulty(&context).await, open(&context).await);
    let mut stream = tree.watch("").await.unwrap();
    let first = revision(&writer.store("a", "first").await.unwrap());
    expect(&mut stream, &[("+a", first)]).await;
    let reading = tokio::spawn(async move { changes(&mut stream, CHANGES).await });
    tree.backend().inject(|call| matches!(call, Call::Watch(..)).then_some(Fault::Refuse));
    tree.backend().drop_watches();
    let mut expected = Vec::new();
    for round in 0..CHANGES {
        expected.push(revision(&writer.store("a", round.to_string()).await.unwrap()));
    }
    tree.backend().heal();
    let seen = tokio::time::timeout(Context::PATIENCE, reading).await.expect("they come").unwrap();
    assert_eq!(seen.into_iter().map(|(_, revision)| revision).collect::<Vec<_>>(), expected);
}

async fn a_watch_is_resumed_where_another_ended(context: Context) {
    let (one, other, writer) = (open(&context).await, open(&context).await, open(&context).await);
    let mut stream = one.watch("").await.unwrap();
    let mut stored = Vec::new();
    for round in 0..10 {
        stored.push(revision(&writer.store(&format!("f{round}"), "x").await.unwrap()));
    }
    let seen = changes(&mut stream, 4).await;
    drop(stream);
    let mut resumed = other.watch_after("", seen[3].1).await.unwrap();
    let rest = changes(&mut resumed, 6).await;
    assert_eq!(rest.iter().map(|(_, revision)| *revision).collect::<Vec<_>>(), stored[4..]);
    let next = revision(&writer.store("f0", "y").await.unwrap());
    expect(&mut resumed, &[("~f0", next)]).await;
}

async fn a_resumed_watch_beside_running_ones_replays_what_was_missed(context: Context) {
    let tree = open_with(&context, &["a"]).await;
    let start = revision(&tree.stat("a").await.unwrap());
    let mut running = tree.watch("").await.unwrap();
    let mut stored = Vec::new();
    for round in 0..50 {
        stored.push(revision(&tree.store("a", round.to_string()).await.unwrap()));
    }
    let of = |seen: Vec<(String, Revision)>| seen.into_iter().map(|(_, at)| at).collect::<Vec<_>>();
    assert_eq!(of(changes(&mut running, 50).await), stored);
    let mut from_start = tree.watch_after("", start).await.unwrap();
    let mut from_middle = tree.watch_after("", stored[24]).await.unwrap();
    let mut from_now = tree.watch_after("", stored[49]).await.unwrap();
    for round in 0..10 {
        stored.push(revision(&tree.store("a", format!("again {round}")).await.unwrap()));
    }
    assert_eq!(of(changes(&mut from_start, 60).await), stored);
    assert_eq!(of(changes(&mut from_middle, 35).await), stored[25..]);
    assert_eq!(of(changes(&mut from_now, 10).await), stored[50..]);
    assert_eq!(of(changes(&mut running, 10).await), stored[50..]);
    let last = revision(&tree.store("b", "x").await.unwrap());
    for stream in [&mut from_start, &mut from_middle, &mut from_now, &mut running] {
        expect(stream, &[("+b", last)]).await;
    }
}

async fn a_resumed_watch_survives_a_broken_connection(context: Context) {
    let (tree, writer) = (open_faulty(&context).await, open_with(&context, &["a"]).await);
    let start = revision(&writer.stat("a").await.unwrap());
    let _running = tree.watch("").await.unwrap();
    let first = revision(&writer.store("a", "1").await.unwrap());
    let mut resumed = tree.watch_after("", start).await.unwrap();
    expect(&mut resumed, &[("~a", first)]).await;
    tree.backend().drop_watches();
    let second = revision(&writer.store("a", "2").await.unwrap());
    expect(&mut resumed, &[("~a", second)]).await;
    tree.backend().drop_watches();
    let third = revision(&writer.store("a", "3").await.unwrap());
    expect(&mut resumed, &[("~a", third)]).await;
}

async fn what_was_compacted_away_is_a_resync_for_who_resumes(context: Context) {
    let tree = open_with(&context, &["a", "b", "c"]).await;
    let old = revision(&tree.stat("a").await.unwrap());
    let newest = revision(&tree.stat("c").await.unwrap());
    context.compact(newest).await;
    let _running = tree.watch("").await.unwrap();
    let mut resumed = tree.watch_after("", old).await.unwrap();
    let at = expect_resync(&mut resumed).await;
    assert!(at >= newest, "{at:?} is before {newest:?}");
    let next = revision(&tree.store("d", "x").await.unwrap());
    expect(&mut resumed, &[("+d", next)]).await;
}

async fn who_resumes_after_a_compaction_waits_an_outage_out(context: Context) {
    let (tree, writer) = (open_faulty(&context).await, open_with(&context, &["a", "b"]).await);
    let old = revision(&writer.stat("a").await.unwrap());
    let newest = revision(&writer.store("b", "x").await.unwrap());
    context.compact(newest).await;
    let _running = tree.watch("").await.unwrap();
    let mut resumed = tree.watch_after("", old).await.unwrap();
    // It can be told that its changes are gone, and not how far the store is.
    tree.backend().inject(|call| matches!(call, Call::Range(_)).then_some(Fault::Refuse));
    let silent = tokio::time::timeout(Duration::from_millis(300), resumed.next()).await;
    assert!(silent.is_err(), "{silent:?}");
    tree.backend().heal();
    let at = expect_resync(&mut resumed).await;
    assert!(at >= newest, "{at:?} is before {newest:?}");
}

async fn what_was_compacted_away_is_a_resync_for_all(context: Context) {
    let (tree, writer) = (open_faulty(&context).await, open(&context).await);
    let mut streams = [tree.watch("").await.unwrap(), tree.watch("d").await.unwrap()];
    let first = revision(&writer.store("d/a", "1").await.unwrap());
    for stream in &mut streams {
        expect(stream, &[("+d/a", first)]).await;
    }
    // While the connection is broken the tree changes, and the store forgets how.
    tree.backend().inject(|call| matches!(call, Call::Watch(..)).then_some(Fault::Refuse));
    tree.backend().drop_watches();
    for round in 0..5 {
        writer.store("d/a", round.to_string()).await.unwrap();
    }
    let newest = revision(&writer.stat("d/a").await.unwrap());
    context.compact(newest).await;
    tree.backend().heal();
    for stream in &mut streams {
        let at = expect_resync(stream).await;
        assert!(at >= newest, "{at:?} is before {newest:?}");
    }
    let next = revision(&writer.store("d/a", "again").await.unwrap());
    for stream in &mut streams {
        expect(stream, &[("~d/a", next)]).await;
    }
}

/// A copy of the tree as somebody keeps it who watched it from when it was empty, until it has this file.
async fn mirror(tree: &FaultyTree, stream: &mut ChangeStream, until: &str) -> BTreeMap<String, Revision> {
    let mut copy = BTreeMap::new();
    while !copy.contains_key(until) {
        match next(stream).await {
            WatchEvent::Change { kind, path, version, .. } => {
                let (path, version) = (path.to_string(), version.revision());
                if copy.get(&path).is_none_or(|known| *known < version) {
                    match kind {
                        ChangeKind::Deleted => drop(copy.remove(&path)),
                        ChangeKind::Created | ChangeKind::Modified => drop(copy.insert(path, version)),
                    }
                }
            }
            WatchEvent::Resync { .. } => copy = list(tree).await,
            _ => panic!("there are no other events"),
        }
    }
    copy
}

async fn list(tree: &FaultyTree) -> BTreeMap<String, Revision> {
    let entries = tree.list("", ListOptions::descendants().with_metadata()).await.unwrap();
    let files = entries.into_iter().filter_map(|entry| Some((entry.path, entry.metadata?.unwrap())));
    files.map(|(path, metadata)| (path.to_string(), revision(&metadata))).collect()
}

async fn after_a_resync_a_list_and_what_follows_are_the_tree(context: Context) {
    let (tree, writer) = (open_faulty(&context).await, open(&context).await);
    let mut stream = tree.watch("").await.unwrap();
    for round in 0..40 {
        writer.store(&format!("f{}", round % 9), round.to_string()).await.unwrap();
        if round % 5 == 4 {
            writer.delete(&format!("f{}", round % 7)).await.unwrap();
        }
        if round % 10 == 9 {
            let newest = revision(&writer.store("marker", "x").await.unwrap());
            tree.backend().drop_watches();
            context.compact(newest).await;
        }
    }
    writer.store("last", "x").await.unwrap();
    let copy = mirror(&tree, &mut stream, "last").await;
    assert_eq!(copy, list(&tree).await);
}

async fn a_resync_is_not_followed_by_what_was_told_before_it(context: Context) {
    let (tree, writer) = (open_faulty(&context).await, open(&context).await);
    let mut running = tree.watch("").await.unwrap();
    let first = revision(&writer.store("a", "1").await.unwrap());
    expect(&mut running, &[("+a", first)]).await;
    // It has to look for itself at what came before, and does not come to it yet.
    let mut late = tree.watch_after("", Revision::ZERO).await.unwrap();
    tree.backend().compact_watches();
    expect_resync(&mut running).await;
    let second = revision(&writer.store("a", "2").await.unwrap());
    expect(&mut running, &[("~a", second)]).await;
    context.compact(second).await;
    assert!(expect_resync(&mut late).await >= second);
    let third = revision(&writer.store("a", "3").await.unwrap());
    expect(&mut late, &[("~a", third)]).await;
}

async fn who_has_caught_up_is_told_of_no_gap_that_others_had(context: Context) {
    let (tree, writer) = (open_faulty(&context).await, open(&context).await);
    // Older states may be gone: a harness may give the same store to one case after the other.
    let start = revision(&writer.store("first", "0").await.unwrap());
    let mut running = tree.watch("").await.unwrap();
    let stored = revision(&writer.store("a", "1").await.unwrap());
    expect(&mut running, &[("+a", stored)]).await;
    let mut late = tree.watch_after("", start).await.unwrap();
    tree.backend().compact_watches();
    expect_resync(&mut running).await;
    // The watch after that one is there when it tells of something.
    let second = revision(&writer.store("b", "2").await.unwrap());
    expect(&mut running, &[("+b", second)]).await;
    // The watch that all share is refused, and with that they end; not before who is late has what there was.
    let refusal = Fault::NoSpace { applied: false };
    tree.backend().inject(first(1, |call| matches!(call, Call::Watch(..)), refusal));
    tree.backend().drop_watches();
    until_refused(&mut running).await;
    expect(&mut late, &[("+a", stored), ("+b", second)]).await;
    until_refused(&mut late).await;
}

async fn until_refused(stream: &mut ChangeStream) {
    let item = tokio::time::timeout(Context::PATIENCE, stream.next()).await.expect("the stream ends");
    assert_eq!(item.map(|item| item.map_err(|error| error.kind())), Some(Err(ErrorKind::NoSpace)));
}
