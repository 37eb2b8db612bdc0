//! What lies in the store.

use futures::TryStreamExt;
use storage_core::ErrorKind;
use storage_core::kv::{Key, KeyRange, KvBackendExt, RangeRequest};

use super::support::{
    everything, open, open_with, options, raw_delete, raw_get, raw_key, raw_put, refused, tree_prefix,
};
use crate::tree::Tree;
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["FS-FORMAT-1"], the_first_write_gives_a_tree_its_format),
    case!(["FS-FORMAT-2"], a_tree_of_another_format_is_not_opened),
    case!(["FS-FORMAT-2"], a_tree_that_changes_its_format_is_not_written),
    case!(["FS-FORMAT-1"], a_tree_that_lost_its_format_key_gets_it_again),
    case!(["FS-FORMAT-3"], contents_and_records_lie_where_operators_look),
    case!(["FS-FORMAT-5"], deletions_leave_a_record),
    case!(["FS-FORMAT-4"], nothing_outside_the_prefix_is_touched),
];

async fn the_first_write_gives_a_tree_its_format(context: Context) {
    let (one, other) = (open(&context).await, open(&context).await);
    assert_eq!(raw_get(&context, "format").await, None, "opening writes nothing");
    assert_eq!(one.delete("a").await.unwrap(), 0);
    assert_eq!(raw_get(&context, "format").await, None, "deleting nothing writes nothing");
    let (first, second) = futures::join!(one.store("a", "x"), other.store("b", "x"));
    first.unwrap();
    second.unwrap();
    assert_eq!(raw_get(&context, "format").await.unwrap(), "1");
    assert_eq!(everything(&one).await, ["a", "b"]);
    assert_eq!(other.delete_all().await.unwrap(), 2);
    assert_eq!(raw_get(&context, "format").await.unwrap(), "1", "an empty tree keeps its format");
}

async fn a_tree_of_another_format_is_not_opened(context: Context) {
    for format in ["2", "", "1 ", "caddy"] {
        raw_put(&context, "format", format).await;
        let error = Tree::open(&context, options(&context)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
        assert!(error.to_string().contains(&format!("{format:?}")), "{error}");
    }
}

async fn a_tree_that_changes_its_format_is_not_written(context: Context) {
    let (used, fresh) = (open_with(&context, &["a"]).await, open(&context).await);
    raw_put(&context, "format", "2").await;
    for tree in [used, fresh] {
        refused(tree.store("b", "x").await, ErrorKind::Unsupported, "b");
        refused(tree.delete("a").await, ErrorKind::Unsupported, "a");
        refused(tree.rename("a", "b").await, ErrorKind::Unsupported, "a");
        refused(tree.create("c/d", "x").await, ErrorKind::Unsupported, "c/d");
    }
    assert_eq!(raw_get(&context, "data/a").await.unwrap(), "a");
    assert_eq!(raw_get(&context, "data/b").await, None);
}

/// As after an operator's `etcdctl del --prefix` under a running cluster.
async fn a_tree_that_lost_its_format_key_gets_it_again(context: Context) {
    let tree = open_with(&context, &["a"]).await;
    raw_delete(&context, "format").await;
    assert_eq!(tree.delete("a").await.unwrap(), 1);
    tree.store("b", "x").await.unwrap();
    assert_eq!(raw_get(&context, "format").await.unwrap(), "1");
    assert_eq!(tree.delete("b").await.unwrap(), 1);
}

async fn contents_and_records_lie_where_operators_look(context: Context) {
    let tree = open(&context).await;
    let pem = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n";
    let stored = tree.store("sites/a.crt", pem).await.unwrap();
    assert_eq!(raw_get(&context, "data/sites/a.crt").await.unwrap(), pem);
    let record = raw_get(&context, "meta/sites/a.crt").await.unwrap();
    let record = std::str::from_utf8(&record).unwrap();
    let sha1 = stored.sha1.unwrap();
    let begin = format!(r#"{{"version":1,"size":{},"modified":"20"#, pem.len());
    assert!(record.starts_with(&begin), "{record} should start with {begin}");
    assert!(record.contains(&format!(r#"Z","sha1":"{sha1}","write":""#)), "{record}");
    let write = record.trim_end_matches("\"}").rsplit('"').next().unwrap();
    assert!(write.len() == 32 && write.bytes().all(|byte| byte.is_ascii_hexdigit()), "{record}");

    let client = context.client().await;
    let everything = RangeRequest::new(KeyRange::prefix(raw_key(&context, "").into_bytes()));
    let keys: Vec<Key> = client.scan(everything).map_ok(|entry| entry.key).try_collect().await.unwrap();
    let expected = ["data/sites/a.crt", "format", "meta/sites/a.crt"].map(|rest| raw_key(&context, rest));
    assert_eq!(keys, expected, "and nothing else");
}

async fn deletions_leave_a_record(context: Context) {
    let tree = open(&context).await;
    // A tree that never had a file does not get its format for a deletion.
    tree.delete("a").await.unwrap();
    assert_eq!((raw_get(&context, "deleted").await, raw_get(&context, "format").await), (None, None));
    let mut records = vec![None];
    tree.store("a", "x").await.unwrap();
    assert_eq!(raw_get(&context, "deleted").await, None);
    tree.rename("a", "b").await.unwrap();
    records.push(raw_get(&context, "deleted").await);
    tree.delete("b").await.unwrap();
    records.push(raw_get(&context, "deleted").await);
    tree.delete_file("b").await.unwrap();
    records.push(raw_get(&context, "deleted").await);
    tree.store("a", "x").await.unwrap();
    assert_eq!(raw_get(&context, "deleted").await, records[3]);
    tree.delete_all().await.unwrap();
    records.push(raw_get(&context, "deleted").await);
    for (number, record) in records.iter().enumerate().skip(1) {
        let record = std::str::from_utf8(record.as_deref().unwrap()).unwrap();
        let write =
            record.strip_prefix(r#"{"version":1,"write":""#).and_then(|rest| rest.strip_suffix("\"}"));
        assert_eq!(write.map(str::len), Some(32), "{record}");
        assert!(!records[..number].contains(&records[number]), "{record} is not new");
    }
}

async fn nothing_outside_the_prefix_is_touched(context: Context) {
    let client = context.client().await;
    let prefix = tree_prefix(&context);
    let neighbours =
        ["", "-prod/data/a", "0", ".", "2/meta/a"].map(|rest| Key::new(format!("{prefix}{rest}")));
    for key in &neighbours {
        client.put(key.clone(), "neighbour".into()).await.unwrap();
    }
    let tree = open_with(&context, &["a", "b/c"]).await;
    assert_eq!(everything(&tree).await, ["a", "b", "b/c"]);
    assert_eq!(tree.delete_all().await.unwrap(), 2);
    for key in &neighbours {
        assert_eq!(client.get(key.clone()).await.unwrap().unwrap().value, "neighbour");
    }
}
