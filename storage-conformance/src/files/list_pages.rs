//! Listings of more than one page: complete, of one revision, in order.

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use storage_core::kv::{KvBackend, KvBackendExt, Op, Txn};
use storage_core::{ListItem, ListOptions};

use super::support::{open, paths, raw_key};
use crate::tree::Tree;
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["FS-LIST-8"], a_listing_is_of_one_revision),
    case!(["FS-LIST-9"], a_listing_starts_over_after_a_compaction),
    case!(["FS-LIST-11"], the_stream_and_the_list_are_the_same),
    case!(["FS-LIST-12", "FS-LIST-4", "FS-LIST-6"], large_directories_are_listed_completely),
    case!(["FS-LIST-12", "FS-LIST-6"], directories_whose_files_are_pages_away_come_in_order),
];

/// More than the first page of a listing holds, several times over.
const MANY: usize = 4_500;

/// Makes these files quickly: their records are copies of one file's, which listings of names do not read.
async fn make(context: &Context, tree: &Tree, files: impl IntoIterator<Item = String>) {
    tree.store("zz/template", "x").await.unwrap();
    let client = context.client().await;
    let record = client.get(raw_key(context, "meta/zz/template")).await.unwrap().unwrap().value;
    let files: Vec<String> = files.into_iter().collect();
    for chunk in files.chunks(client.limits().max_txn_ops / 2) {
        let mut txn = Txn::new();
        for file in chunk {
            let (data, meta) = (format!("data/{file}"), format!("meta/{file}"));
            txn = txn.then(put(context, &data, Bytes::from_static(b"x")));
            txn = txn.then(put(context, &meta, record.clone()));
        }
        client.txn(txn).await.unwrap();
    }
    tree.delete("zz").await.unwrap();
}

fn put(context: &Context, rest: &str, value: Bytes) -> Op {
    Op::Put { key: raw_key(context, rest), value, lease: None }
}

/// The tree is written while its listing is consumed.
async fn a_listing_is_of_one_revision(context: Context) {
    let (tree, writer) = (open(&context).await, open(&context).await);
    let before: Vec<String> = (0..MANY).map(|n| format!("d/{n:05}")).collect();
    make(&context, &tree, before.clone()).await;
    let mut items = tree.list_stream("d", ListOptions::children());
    let mut listed = Vec::new();
    while let Some(item) = items.next().await {
        let ListItem::Entry(entry) = item.unwrap() else { panic!("nothing was compacted") };
        if listed.len() % 500 == 0 {
            let n = listed.len();
            writer.delete(&format!("d/{:05}", MANY - 1 - n)).await.unwrap();
            writer.store(&format!("d/{:05}-new", MANY - 1 - n), "x").await.unwrap();
        }
        listed.push(entry.path.to_string());
    }
    assert_eq!(listed, before);
}

async fn a_listing_starts_over_after_a_compaction(context: Context) {
    let tree = open(&context).await;
    make(&context, &tree, (0..MANY).map(|n| format!("d/sub/{n:05}"))).await;
    let mut items = tree.list_stream("d", ListOptions::descendants());
    let (mut listed, mut starts) = (Vec::new(), 1);
    while let Some(item) = items.next().await {
        match item.unwrap() {
            ListItem::Entry(entry) => listed.push(entry.path.to_string()),
            ListItem::StartOver => {
                listed.clear();
                starts += 1;
            }
        }
        if starts == 1 && listed.len() == 100 {
            tree.delete("d/sub/00000").await.unwrap();
            let newest = tree.store("d/sub/99999", "x").await.unwrap();
            context.compact(newest.version.revision()).await;
        }
    }
    let mut before: Vec<String> = (0..MANY).map(|n| format!("d/sub/{n:05}")).collect();
    let mut after = before[1..].to_vec();
    after.push("d/sub/99999".to_owned());
    for list in [&mut before, &mut after] {
        // The directory anew, too.
        list.insert(0, "d/sub".to_owned());
    }
    if starts == 1 {
        assert_eq!(listed, before, "where pages are large the rest was read before");
    } else {
        assert_eq!((starts, listed), (2, after));
    }
}

async fn the_stream_and_the_list_are_the_same(context: Context) {
    let tree = open(&context).await;
    make(&context, &tree, (0..MANY).map(|n| format!("d/{}/{n}", n % 10))).await;
    for options in [ListOptions::children(), ListOptions::descendants()] {
        let items: Vec<_> = tree.list_stream("d", options.clone()).try_collect().await.unwrap();
        let streamed: Vec<String> = items
            .iter()
            .map(|item| match item {
                ListItem::Entry(entry) => entry.path.to_string(),
                ListItem::StartOver => panic!("nothing was compacted"),
            })
            .collect();
        assert_eq!(streamed, paths(&tree.list("d", options).await.unwrap()));
    }
}

async fn large_directories_are_listed_completely(context: Context) {
    let tree = open(&context).await;
    let large = (0..MANY).map(|n| format!("d/large/{n:05}"));
    let small =
        (0..MANY / 3).flat_map(|n| ["crt", "json", "key"].map(|kind| format!("d/s{n:05}/site.{kind}")));
    make(&context, &tree, large.chain(small).chain(["d/z".to_owned()])).await;

    let children = tree.list("d", ListOptions::children()).await.unwrap();
    let expected = ["d/large".to_owned()].into_iter();
    let expected = expected.chain((0..MANY / 3).map(|n| format!("d/s{n:05}"))).chain(["d/z".to_owned()]);
    assert_eq!(paths(&children), expected.collect::<Vec<_>>());

    let all = tree.list("d", ListOptions::descendants()).await.unwrap();
    assert_eq!(all.len(), MANY + 1 + MANY / 3 * 4 + 1);
    assert!(paths(&all).is_sorted(), "{:?}", paths(&all));
}

/// `a` belongs before `a-00000`, and thousands of keys stand between that and `a/x`.
async fn directories_whose_files_are_pages_away_come_in_order(context: Context) {
    let tree = open(&context).await;
    let between = (0..MANY).map(|n| format!("d/a-{n:05}"));
    make(&context, &tree, between.chain(["d/a/x".to_owned(), "d/a-00000.d/y".to_owned()])).await;
    let mut expected: Vec<String> = (0..MANY).map(|n| format!("d/a-{n:05}")).collect();
    expected.extend(["d/a", "d/a-00000.d"].map(str::to_owned));
    expected.sort_unstable();
    let children = tree.list("d", ListOptions::children()).await.unwrap();
    assert_eq!(paths(&children), expected);
    expected.extend(["d/a/x", "d/a-00000.d/y"].map(str::to_owned));
    expected.sort_unstable();
    let all = tree.list("d", ListOptions::descendants()).await.unwrap();
    assert_eq!(paths(&all), expected);
}
