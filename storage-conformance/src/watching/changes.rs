//! What a watch delivers.

use std::time::Duration;

use futures::{FutureExt, StreamExt};
use storage_core::kv::Revision;
use storage_core::{ErrorKind, ListOptions, WatchEvent};

use super::support::{changes, expect, next, revision};
use crate::files::support::{open, open_with, raw_put, refused, store_all};
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["FS-WATCH-1"], files_are_created_modified_and_deleted),
    case!(["FS-WATCH-1"], the_changes_of_many_writers_come_in_order_and_complete),
    case!(["FS-WATCH-2"], a_path_and_what_is_below_it_are_watched_and_nothing_else),
    case!(["FS-WATCH-2"], a_path_that_is_none_is_refused),
    case!(["FS-WATCH-3"], a_watch_begins_with_what_comes_after_it),
    case!(["FS-WATCH-4"], changes_of_one_transaction_come_together_in_the_order_of_paths),
    case!(["FS-WATCH-4"], a_large_directory_is_deleted_under_a_watch),
    case!(["FS-WATCH-5"], what_is_no_file_is_passed_over),
    case!(["FS-WATCH-12"], the_stream_ends_when_the_storage_is_closed),
    case!(["FS-WATCH-12"], a_stream_that_still_looks_for_what_it_has_missed_ends_as_well),
    case!(["FS-WATCH-12"], nothing_comes_of_streams_of_a_closed_storage),
    case!(["FS-WATCH-12"], the_stream_goes_on_when_all_handles_are_dropped),
];

async fn files_are_created_modified_and_deleted(context: Context) {
    let (tree, writer) = (open(&context).await, open(&context).await);
    let mut stream = tree.watch("").await.unwrap();
    let created = revision(&writer.store("a/b", "1").await.unwrap());
    let modified = revision(&writer.store("a/b", "1").await.unwrap());
    let other = revision(&tree.create("c", "own changes count too").await.unwrap());
    assert_eq!(writer.delete("a").await.unwrap(), 1);
    let again = revision(&writer.store("a/b", "2").await.unwrap());
    expect(&mut stream, &[("+a/b", created), ("~a/b", modified), ("+c", other)]).await;
    let WatchEvent::Change { path, version, .. } = next(&mut stream).await else { panic!("a deletion") };
    assert_eq!(path.as_str(), "a/b");
    assert!(version.revision() > other && version.revision() < again, "{version:?}");
    expect(&mut stream, &[("+a/b", again)]).await;
    let fenced = writer.lock("l").await.unwrap();
    let stored = revision(&fenced.store("a/b", "3").await.unwrap());
    expect(&mut stream, &[("~a/b", stored)]).await;
}

async fn the_changes_of_many_writers_come_in_order_and_complete(context: Context) {
    let tree = open(&context).await;
    let mut stream = tree.watch("d").await.unwrap();
    let mut writers = Vec::new();
    for writer in 0..8 {
        let tree = open(&context).await;
        writers.push(tokio::spawn(async move {
            let mut revisions = Vec::new();
            for round in 0..20 {
                let path = format!("d/{}", (writer + round) % 5);
                revisions.push(revision(&tree.store(&path, round.to_string()).await.unwrap()));
            }
            revisions
        }));
    }
    let mut revisions = Vec::new();
    for writer in writers {
        revisions.extend(writer.await.unwrap());
    }
    revisions.sort_unstable();
    let seen = changes(&mut stream, revisions.len()).await;
    assert_eq!(seen.iter().map(|(_, revision)| *revision).collect::<Vec<_>>(), revisions);
    let created = seen.iter().filter(|(text, _)| text.starts_with('+')).count();
    assert_eq!(created, 5, "{seen:?}");
}

async fn a_path_and_what_is_below_it_are_watched_and_nothing_else(context: Context) {
    let tree = open(&context).await;
    let mut all = tree.watch("").await.unwrap();
    let mut below = tree.watch("/foo/").await.unwrap();
    let mut file = tree.watch("foo/bar").await.unwrap();
    let outside = ["foobar", "foo.txt", "fo", "foo-1/x"];
    store_all(&tree, &outside).await;
    store_all(&tree, &["foo/a", "foo/bar", "foo/baz/x"]).await;
    tree.delete("foo").await.unwrap();
    tree.store("foo", "a file now").await.unwrap();
    let names = |seen: Vec<(String, Revision)>| seen.into_iter().map(|(text, _)| text).collect::<Vec<_>>();
    let inside = ["+foo/a", "+foo/bar", "+foo/baz/x", "-foo/a", "-foo/bar", "-foo/baz/x", "+foo"];
    assert_eq!(names(changes(&mut below, 7).await), inside);
    assert_eq!(names(changes(&mut file, 2).await), ["+foo/bar", "-foo/bar"]);
    let seen = names(changes(&mut all, 11).await);
    assert_eq!(seen[..4], outside.map(|path| format!("+{path}")));
    assert_eq!(seen[4..], inside);
}

async fn a_path_that_is_none_is_refused(context: Context) {
    let tree = open(&context).await;
    refused(tree.watch("a//b").await, ErrorKind::InvalidPath, "a//b");
    refused(tree.watch_after("..", Revision::ZERO).await, ErrorKind::InvalidPath, "..");
}

async fn a_watch_begins_with_what_comes_after_it(context: Context) {
    let (tree, writer) = (open(&context).await, open(&context).await);
    let mut running = None;
    for round in 0..10 {
        if round == 5 {
            // From here on the watch of the store is there already, and may lag behind it.
            running = Some(tree.watch("").await.unwrap());
        }
        writer.store("a", "before").await.unwrap();
        let mut stream = tree.watch("").await.unwrap();
        let after = revision(&writer.store("a", "after").await.unwrap());
        let (text, seen) = changes(&mut stream, 1).await.remove(0);
        assert_eq!((text.as_str(), seen), ("~a", after), "round {round}");
    }
    drop(running);
}

async fn changes_of_one_transaction_come_together_in_the_order_of_paths(context: Context) {
    let tree = open_with(&context, &["old"]).await;
    let mut stream = tree.watch("").await.unwrap();
    let group = tree.store_many([("b", "1"), ("a/x", "2"), ("a-1", "3")]).await.unwrap();
    let at = revision(&group[0]);
    expect(&mut stream, &[("+a-1", at), ("+a/x", at), ("+b", at)]).await;
    let moved = revision(&tree.rename("old", "new").await.unwrap());
    expect(&mut stream, &[("+new", moved), ("-old", moved)]).await;
}

async fn a_large_directory_is_deleted_under_a_watch(context: Context) {
    const FILES: usize = 1500;
    let tree = open(&context).await;
    let per_group = (tree.backend().limits().max_txn_ops / 2).min(20);
    for group in 0..FILES / per_group {
        let files = (0..per_group).map(|n| (format!("d/{group}/{n}"), "x"));
        tree.store_many(files).await.unwrap();
    }
    let count = FILES / per_group * per_group;
    let mut stream = tree.watch("d").await.unwrap();
    assert_eq!(tree.delete("d").await.unwrap(), count as u64);
    let seen = changes(&mut stream, count).await;
    let one = seen.iter().all(|(text, at)| text.starts_with('-') && *at == seen[0].1);
    assert!(one, "deletions of one version: {seen:?}");
    assert!(seen.is_sorted_by(|one, next| one.0 < next.0), "in order, none twice");
    let after = revision(&tree.store("d", "x").await.unwrap());
    expect(&mut stream, &[("+d", after)]).await;
}

async fn what_is_no_file_is_passed_over(context: Context) {
    let tree = open(&context).await;
    let mut stream = tree.watch("").await.unwrap();
    let guard = tree.lock("a").await.unwrap();
    guard.unlock().await.unwrap();
    raw_put(&context, "meta/a//b", "foreign").await;
    raw_put(&context, "data/c", "content alone").await;
    raw_put(&context, "elsewhere", "x").await;
    let stored = revision(&tree.store("z", "x").await.unwrap());
    expect(&mut stream, &[("+z", stored)]).await;
    assert!(stream.next().now_or_never().is_none());
}

async fn the_stream_ends_when_the_storage_is_closed(context: Context) {
    let tree = open(&context).await;
    let mut streams = [tree.watch("").await.unwrap(), tree.watch("a").await.unwrap()];
    let stored = revision(&tree.store("a", "x").await.unwrap());
    for stream in &mut streams {
        expect(stream, &[("+a", stored)]).await;
    }
    tree.close().await.unwrap();
    for stream in &mut streams {
        let end = tokio::time::timeout(Context::PATIENCE, stream.next()).await.expect("the stream ends");
        assert!(end.is_none(), "{end:?}");
    }
    let _ = tree.list("", ListOptions::children()).await.unwrap();
}

async fn a_stream_that_still_looks_for_what_it_has_missed_ends_as_well(context: Context) {
    let tree = open(&context).await;
    let stored = revision(&tree.store("a", "x").await.unwrap());
    // These changes are of no file: whether one came in between only the next change of a file will tell.
    let _guard = tree.lock("l").await.unwrap();
    let mut waiting = tree.watch_after("", stored).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(50), waiting.next()).await.is_err());
    let mut unread = tree.watch_after("", stored).await.unwrap();
    tree.close().await.unwrap();
    for stream in [&mut waiting, &mut unread] {
        let end = tokio::time::timeout(Context::PATIENCE, stream.next()).await.expect("the stream ends");
        assert!(end.is_none(), "{end:?}");
    }
}

async fn nothing_comes_of_streams_of_a_closed_storage(context: Context) {
    let (tree, writer) = (open(&context).await, open(&context).await);
    let stored = revision(&tree.store("a", "x").await.unwrap());
    let _guard = tree.lock("l").await.unwrap();
    // They look for what they have missed, and will see that change before they are polled again. More than one, for what
    // happens at the same time comes in any order.
    let mut streams = Vec::new();
    for _ in 0..20 {
        let mut stream = tree.watch_after("", stored).await.unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(20), stream.next()).await.is_err());
        streams.push(stream);
    }
    writer.store("a", "y").await.unwrap();
    tree.close().await.unwrap();
    context.sleep(Duration::from_millis(50)).await;
    for mut stream in streams {
        let end = tokio::time::timeout(Context::PATIENCE, stream.next()).await.expect("the stream ends");
        assert!(end.is_none(), "{end:?}");
    }
}

async fn the_stream_goes_on_when_all_handles_are_dropped(context: Context) {
    let (tree, writer) = (open(&context).await, open(&context).await);
    let mut stream = tree.watch("").await.unwrap();
    drop(tree);
    for round in 0..3 {
        let stored = revision(&writer.store(&round.to_string(), "x").await.unwrap());
        expect(&mut stream, &[(&format!("+{round}"), stored)]).await;
    }
}
