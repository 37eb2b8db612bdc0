//! Damage is found and moved away where members that run the Go module write too.

use std::time::Duration;

use storage_core::{ErrorKind, LayoutKind, ProblemKind};

use super::member::{Clock, GoMember, open_at};
use crate::files::quarantine::{
    a_file_is_seen_in_one_place_at_a_time, damaged_files_are_moved_as_they_are,
    only_who_asks_for_it_deletes_from_the_quarantine,
};
use crate::files::support::{raw_key, tree_prefix};
use crate::files::verify::{problems, what_is_no_file_is_looked_at_too};
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["FS-CADDY-10"], what_is_damaged_is_moved_where_the_go_module_does_not_look),
    case!(["FS-CADDY-10"], what_others_have_among_the_files_is_told_of_and_stays),
    case!(["FS-CADDY-10"], the_locks_of_the_go_module_are_looked_at),
    case!(["FS-CADDY-10"], damage_is_moved_as_in_the_native_layout),
];

const LOCK_TIMEOUT: Duration = Duration::from_secs(300);

async fn what_is_damaged_is_moved_where_the_go_module_does_not_look(context: Context) {
    let context = context.with_layout(LayoutKind::CaddyEtcd);
    let clock = Clock::new();
    let go = GoMember::new(&context, &clock, LOCK_TIMEOUT).await;
    for name in ["a/content", "a/hash", "a/record", "whole"] {
        go.store(name, name.as_bytes()).await;
    }
    let tree = open_at(&context, &clock, LOCK_TIMEOUT).await;
    assert_eq!(problems(&tree, "").await, [], "what Go has stored is whole");
    go.put_raw("a/content", "no base64!").await;
    go.put_raw("a/hash", "YS9oYXNI").await;
    go.put_raw("md/a/record", "no base64!").await;
    let found = problems(&tree, "").await;
    let kinds: Vec<_> = found.iter().map(|problem| problem.kind).collect();
    let mismatch = ProblemKind::ChecksumMismatch;
    assert_eq!(kinds, [mismatch, mismatch, ProblemKind::MetadataUnreadable], "{found:?}");
    for (problem, (content, value)) in
        found.iter().zip([("no base64!", "no base64!"), ("a/hasH", "YS9oYXNI"), ("a/record", "YS9yZWNvcmQ=")])
    {
        let moved = tree.quarantine(problem).await.unwrap();
        assert_eq!(moved.size, Some(content.len() as u64));
        assert_eq!(tree.load_quarantined(moved.id).await.unwrap().content.unwrap(), content);
        let key = format!("lock/md//quarantine/{}/data/{}", moved.id, moved.path);
        assert_eq!(go.get_raw(&key).await.unwrap(), value, "byte for byte, at {key}");
        let error = tree.restore_quarantined(moved.id).await.unwrap_err();
        assert!(error.is_damage(), "{error}");
    }
    assert_eq!(go.list().await, ["/whole"], "nothing that was moved");
    assert_eq!(go.load("a/hash").await, None);
    assert_eq!(tree.quarantined().await.unwrap().len(), found.len());
    assert_eq!(problems(&tree, "").await, []);

    // One that is well again has the time at which it was written.
    let stored = tree.store("b", "b").await.unwrap();
    go.put_raw("b", "Qg==").await;
    let moved = tree.quarantine(&problems(&tree, "b").await[0]).await.unwrap();
    go.put_raw(&format!("lock/md//quarantine/{}/data/b", moved.id), "Yg==").await;
    let restored = tree.restore_quarantined(moved.id).await.unwrap();
    assert_eq!((restored.modified, restored.sha1), (stored.modified, stored.sha1));
    assert_eq!(go.load("b").await.unwrap(), b"b");
}

async fn what_others_have_among_the_files_is_told_of_and_stays(context: Context) {
    let context = context.with_layout(LayoutKind::CaddyEtcd);
    let clock = Clock::new();
    let go = GoMember::new(&context, &clock, LOCK_TIMEOUT).await;
    go.store("file", b"file").await;
    let tree = open_at(&context, &clock, LOCK_TIMEOUT).await;
    // A native tree, and what an earlier version has stored.
    let others = ["caddyfile", "other/data/a", "other/format", "other/meta/a"];
    for other in others {
        go.put_raw(other, "Zm9v").await;
    }
    let found = problems(&tree, "").await;
    let told: Vec<_> = found.iter().map(|problem| problem.path.as_ref().unwrap().as_str()).collect();
    assert_eq!(told, others);
    for problem in &found {
        assert_eq!(problem.kind, ProblemKind::ContentUnclaimed);
        assert!(problem.kind.is_damage() && !problem.kind.is_movable());
        assert_eq!(tree.quarantine(problem).await.unwrap_err().kind(), ErrorKind::Unsupported);
    }
    for other in others {
        assert_eq!(go.get_raw(other).await.unwrap(), "Zm9v", "{other}");
    }
}

async fn the_locks_of_the_go_module_are_looked_at(context: Context) {
    let context = context.with_layout(LayoutKind::CaddyEtcd);
    let clock = Clock::new();
    let go = GoMember::new(&context, &clock, LOCK_TIMEOUT).await;
    let tree = open_at(&context, &clock, LOCK_TIMEOUT).await;
    tree.store("file", "x").await.unwrap();
    let guard = tree.lock("ours").await.unwrap();
    assert!(go.try_lock("issue/theirs").await);
    assert_eq!(problems(&tree, "").await, []);
    go.put_raw("lock/broken", "x").await;
    go.put_raw("lock/a//b", "x").await;
    for key in ["notes", "other/a", "other/b"] {
        go.put_raw(&format!("lock/md//{key}"), "x").await;
    }
    let found: Vec<_> =
        problems(&tree, "").await.into_iter().map(|problem| (problem.key, problem.kind)).collect();
    let key = |rest: &str| storage_core::kv::Key::new(format!("{}/lock/{rest}", tree_prefix(&context)));
    let expected = [
        (key("a//b"), ProblemKind::UnknownKey),
        (key("broken"), ProblemKind::RecordUnreadable),
        (key("md//notes"), ProblemKind::UnknownKeys { count: 1 }),
        (key("md//other/"), ProblemKind::UnknownKeys { count: 2 }),
    ];
    assert_eq!(found, expected);
    assert_eq!(raw_key(&context, "session/x"), key("md//session/x"));
    guard.unlock().await.unwrap();
}

/// The cases of clauses that name other keys.
async fn damage_is_moved_as_in_the_native_layout(context: Context) {
    let context = context.with_layout(LayoutKind::CaddyEtcd);
    let again = async || {
        crate::files::support::open(&context).await.delete_all().await.unwrap();
        let client = context.client().await;
        let all = storage_core::kv::KeyRange::prefix(format!("{}/", tree_prefix(&context)));
        let clean = storage_core::kv::Txn::new().then(storage_core::kv::Op::DeleteRange(all));
        storage_core::kv::KvBackend::txn(&client, clean).await.unwrap();
    };
    damaged_files_are_moved_as_they_are(context.clone()).await;
    again().await;
    a_file_is_seen_in_one_place_at_a_time(context.clone()).await;
    again().await;
    only_who_asks_for_it_deletes_from_the_quarantine(context.clone()).await;
    again().await;
    what_is_no_file_is_looked_at_too(context.clone()).await;
}
