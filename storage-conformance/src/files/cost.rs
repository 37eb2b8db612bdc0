//! How many calls an operation makes.

use std::time::SystemTime;

use storage_core::{ListOptions, StoreOptions};

use super::support::{options, store_all};
use crate::decorate::{Calls, Counting};
use crate::tree::Tree;
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["FS-COST-1"], every_operation_takes_one_call),
    case!(["FS-COST-1"], a_listing_takes_one_call_for_its_first_thousand_files),
    case!(["FS-COST-2"], what_is_refused_for_itself_takes_none),
];

const ONE_TXN: Calls =
    Calls { range: 0, txn: 1, grant: 0, keep_alive: 0, time_to_live: 0, revoke: 0, watch: 0 };

async fn every_operation_takes_one_call(context: Context) {
    let tree =
        Tree::open_through(&context, Counting::new(context.client().await), options(&context)).await.unwrap();
    assert_eq!(tree.backend().take().total(), 1, "open");
    tree.store("first", "gives the tree its format").await.unwrap();
    assert_eq!(tree.backend().take().total(), 2, "the first write");

    macro_rules! takes_one {
        ($what:literal, $operation:expr) => {{
            let answer = $operation.await;
            assert_eq!(tree.backend().take(), ONE_TXN, $what);
            answer
        }};
    }
    takes_one!("store", tree.store("a/b/c", "new")).unwrap();
    let options = StoreOptions::new().with_modified(SystemTime::UNIX_EPOCH);
    takes_one!("store_with", tree.store_with("a/b/c", "old", options)).unwrap();
    let stored = takes_one!("store over", tree.store("a/b/c", "over")).unwrap();
    takes_one!("store_if", tree.store_if("a/b/c", "if", stored.version)).unwrap();
    takes_one!("store_if refused", tree.store_if("a/b/c", "if", stored.version)).unwrap_err();
    takes_one!("create", tree.create("a/b/d", "x")).unwrap();
    takes_one!("create refused", tree.create("a/b/d", "x")).unwrap_err();
    takes_one!("load_or_store, stored", tree.load_or_store("a/b/e", "x")).unwrap();
    takes_one!("load_or_store, loaded", tree.load_or_store("a/b/e", "x")).unwrap();
    takes_one!("store_many", tree.store_many([("a/b/f", "x"), ("a/g", "y"), ("h", "z")])).unwrap();
    takes_one!("load", tree.load("a/b/c")).unwrap();
    takes_one!("load of a directory", tree.load("a/b")).unwrap_err();
    takes_one!("load of nothing", tree.load("missing")).unwrap_err();
    takes_one!("load_many", tree.load_many(["a/b/c", "a/g", "h"])).unwrap();
    takes_one!("exists, a file", tree.exists("a/b/c")).unwrap();
    takes_one!("exists, a directory", tree.exists("a/b")).unwrap();
    takes_one!("exists, nothing", tree.exists("missing")).unwrap();
    takes_one!("stat of a file", tree.stat("a/b/c")).unwrap();
    takes_one!("stat of a directory", tree.stat("a")).unwrap();
    takes_one!("stat of the root", tree.stat("")).unwrap();
    takes_one!("stat of nothing", tree.stat("missing")).unwrap_err();
    takes_one!("list of children", tree.list("a", ListOptions::children())).unwrap();
    takes_one!("list of all", tree.list("", ListOptions::descendants().with_metadata())).unwrap();
    takes_one!("list of a file", tree.list("h", ListOptions::children())).unwrap_err();
    takes_one!("list of nothing", tree.list("missing", ListOptions::children())).unwrap_err();
    takes_one!("delete_file", tree.delete_file("a/b/d")).unwrap();
    takes_one!("delete of a file", tree.delete("a/b/c")).unwrap();
    takes_one!("delete of a directory", tree.delete("a")).unwrap();
    takes_one!("delete of nothing", tree.delete("missing")).unwrap();
    tree.rename("h", "i").await.unwrap();
    assert_eq!(tree.backend().take().total(), 2, "rename");
    takes_one!("delete_all", tree.delete_all()).unwrap();
}

async fn a_listing_takes_one_call_for_its_first_thousand_files(context: Context) {
    let tree =
        Tree::open_through(&context, Counting::new(context.client().await), options(&context)).await.unwrap();
    for chunk in 0..100 {
        tree.store_many((0..10).map(|n| (format!("d/{chunk}/{n}"), "x"))).await.unwrap();
    }
    for options in [ListOptions::children(), ListOptions::descendants()] {
        tree.backend().take();
        tree.list("d", options).await.unwrap();
        assert_eq!(tree.backend().take(), ONE_TXN);
    }
}

async fn what_is_refused_for_itself_takes_none(context: Context) {
    let client = context.client().await;
    let limits = client.limits();
    let tree = Tree::open_through(&context, Counting::new(client), options(&context)).await.unwrap();
    store_all(&tree, &["a"]).await;
    tree.backend().take();
    tree.store("a//b", "x").await.unwrap_err();
    tree.load("..").await.unwrap_err();
    tree.store("", "x").await.unwrap_err();
    tree.store("b", vec![0; limits.max_value_bytes + 1]).await.unwrap_err();
    tree.store_many((0..=limits.max_txn_ops).map(|n| (n.to_string(), ""))).await.unwrap_err();
    tree.store_many([("b", "x"), ("b", "y")]).await.unwrap_err();
    tree.store_many(Vec::<(&str, &str)>::new()).await.unwrap();
    tree.load_many(Vec::<&str>::new()).await.unwrap();
    assert!(tree.exists("").await.unwrap());
    assert_eq!(tree.backend().calls().total(), 0);
}
