//! Which layout a tree has, and that the two are never mixed.

use std::time::Duration;

use storage_core::{ErrorKind, LayoutKind, StorageOptions};

use super::member::{Clock, GoMember};
use crate::files::support::{options, raw_get, tree_prefix};
use crate::tree::Tree;
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["FS-CADDY-3"], a_tree_is_opened_in_the_layout_that_it_has),
    case!(["FS-CADDY-3"], a_tree_that_was_empty_is_not_written_once_the_go_module_has),
    case!(["FS-CADDY-3"], a_tree_that_somebody_has_made_a_native_one_is_not_written_in_the_other_layout),
    case!(["FS-CADDY-3"], a_tree_with_data_of_both_is_refused),
];

async fn go(context: &Context) -> GoMember {
    GoMember::new(context, &Clock::new(), Duration::from_secs(300)).await
}

fn native(context: &Context) -> StorageOptions {
    options(context).with_layout(LayoutKind::Native)
}

fn caddy_etcd(context: &Context) -> StorageOptions {
    options(context).with_layout(LayoutKind::CaddyEtcd)
}

fn detect(context: &Context) -> StorageOptions {
    options(context).with_layout(storage_core::LayoutChoice::Detect)
}

async fn a_tree_is_opened_in_the_layout_that_it_has(context: Context) {
    let layout =
        async |options| Tree::open(&context, options).await.map(|tree| tree.layout()).map_err(|e| e.kind());
    assert_eq!(layout(detect(&context)).await, Ok(LayoutKind::Native), "nothing is there yet");
    let go = go(&context).await;
    go.put_lock("only/a/lock").await;
    assert_eq!(layout(detect(&context)).await, Ok(LayoutKind::CaddyEtcd));
    go.delete_lock("only/a/lock").await;
    go.store("format", b"a file").await;
    assert_eq!(layout(detect(&context)).await, Ok(LayoutKind::CaddyEtcd));
    assert_eq!(layout(caddy_etcd(&context)).await, Ok(LayoutKind::CaddyEtcd));
    assert_eq!(layout(native(&context)).await, Err(ErrorKind::InvalidConfig));
    let tree = Tree::open(&context, detect(&context)).await.unwrap();
    tree.store("format", "another").await.unwrap();
    assert_eq!(go.load("format").await.unwrap(), b"another");
    // One that is known by the key of its format, too.
    tree.delete_all().await.unwrap();
    assert_eq!(go.list().await, Vec::<String>::new());
    assert_eq!(layout(detect(&context)).await, Ok(LayoutKind::CaddyEtcd));
    assert_eq!(layout(native(&context)).await, Err(ErrorKind::InvalidConfig));
}

async fn a_tree_that_was_empty_is_not_written_once_the_go_module_has(context: Context) {
    let tree = Tree::open(&context, native(&context)).await.unwrap();
    let go = go(&context).await;
    // In the native layout this would be the content of `x`.
    go.store("data/x", b"theirs").await;
    for error in [
        tree.store("a", "x").await.unwrap_err(),
        tree.create("x", "x").await.unwrap_err(),
        tree.delete("x").await.unwrap_err(),
        tree.delete_all().await.unwrap_err(),
        tree.lock("a").await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
        assert!(error.to_string().contains("md/"), "{error}");
    }
    assert_eq!(go.load("data/x").await.unwrap(), b"theirs");
    assert_eq!(go.list().await, ["/data/x"]);
}

async fn a_tree_that_somebody_has_made_a_native_one_is_not_written_in_the_other_layout(context: Context) {
    let other = Tree::open(&context, caddy_etcd(&context)).await.unwrap();
    let tree = Tree::open(&context, native(&context)).await.unwrap();
    tree.store("a", "x").await.unwrap();
    let error = other.store("a", "y").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
    assert_eq!(other.delete_all().await.unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(tree.load("a").await.unwrap(), "x");
    let error = Tree::open(&context, caddy_etcd(&context)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error:?}");
}

async fn a_tree_with_data_of_both_is_refused(context: Context) {
    let client = context.client().await;
    storage_core::kv::KvBackendExt::put(
        &*client,
        storage_core::kv::Key::new(format!("{}/format", tree_prefix(&context))),
        "1".into(),
    )
    .await
    .unwrap();
    go(&context).await.store("a", b"x").await;
    for options in [detect(&context), native(&context), caddy_etcd(&context)] {
        let error = Tree::open(&context, options).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
        assert!(error.to_string().contains("both layouts"), "{error}");
    }
    assert_eq!(raw_get(&context, "deleted").await, None);
}
