//! Damaged files are moved away, and nothing is lost.

use std::time::Duration;

use bytes::Bytes;
use storage_core::kv::{Key, KvBackend, Op, Txn};
use storage_core::{ErrorKind, LayoutKind, Problem, QuarantineId, Quarantined};

use super::lost_answers::TIMEOUT;
use super::support::{contains, everything, open, open_with, raw_delete, raw_get, raw_key, raw_put, refused};
use super::verify::{damaged, damaged_tree, problems, raw_tree, verify};
use crate::decorate::{Call, Fault};
use crate::locks::lost_answers::first;
use crate::locks::support::open_faulty;
use crate::tree::Tree;
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["FS-QUARANTINE-1", "FS-FORMAT-5"], damaged_files_are_moved_as_they_are),
    case!(["FS-QUARANTINE-1"], a_file_is_seen_in_one_place_at_a_time),
    case!(["FS-QUARANTINE-2"], what_has_changed_since_is_left_alone),
    case!(["FS-QUARANTINE-3"], what_may_be_whole_is_left_alone),
    case!(["FS-QUARANTINE-4"], what_does_not_fit_is_left_alone),
    case!(["FS-QUARANTINE-5"], what_was_moved_is_listed_and_loaded),
    case!(["FS-QUARANTINE-6"], what_is_whole_is_moved_back),
    case!(["FS-QUARANTINE-6"], what_is_damaged_or_in_the_way_is_not_moved_back),
    case!(["FS-QUARANTINE-7", "FS-FORMAT-5"], only_who_asks_for_it_deletes_from_the_quarantine),
    case!(["FS-QUARANTINE-8"], lost_answers_are_found_out),
];

/// The time by which late calls are late.
const LATE: Duration = Duration::from_secs(2);

/// The only problem at this path.
async fn problem_at(tree: &Tree, path: &str) -> Problem {
    let mut found = problems(tree, path).await;
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

async fn raw_halves(context: &Context, place: &str, path: &str) -> (Option<Bytes>, Option<Bytes>) {
    let half = async |half: &str| raw_get(context, &format!("{place}{half}/{path}")).await;
    (half("data").await, half("meta").await)
}

pub(crate) async fn damaged_files_are_moved_as_they_are(context: Context) {
    let (tree, damaged_files) = damaged_tree(&context).await;
    let before = everything(&tree).await;
    let mut moved = 0;
    for (path, kind) in damaged(&context).iter().filter(|(_, kind)| kind.is_movable()) {
        let values = raw_halves(&context, "", path).await;
        let deleted = raw_get(&context, "deleted").await;
        let quarantined = tree.quarantine(&problem_at(&tree, path).await).await.unwrap();
        assert_eq!(quarantined.path.as_str(), *path);
        assert_eq!(quarantined.problem.as_deref(), Some(kind.name()));
        let place = format!("quarantine/{}/", quarantined.id);
        assert_eq!(raw_halves(&context, &place, path).await, values, "{path}: as they were");
        assert_eq!(raw_halves(&context, "", path).await, (None, None), "{path} is gone");
        assert!(!tree.exists(path).await.unwrap(), "{path} is gone");
        let record = raw_get(&context, &format!("{place}record")).await.unwrap();
        let record = std::str::from_utf8(&record).unwrap();
        assert!(record.starts_with(&format!(r#"{{"version":1,"problem":"{}","#, kind.name())), "{record}");
        assert_ne!(raw_get(&context, "deleted").await, deleted, "it is recorded as deletions are");
        moved += 1;
    }
    let left: Vec<_> = problems(&tree, "").await.iter().map(|problem| problem.kind).collect();
    let stays: Vec<_> =
        damaged(&context).iter().map(|(_, kind)| *kind).filter(|kind| !kind.is_movable()).collect();
    assert_eq!((&left, left.len()), (&stays, 1), "nothing else is wrong any more");
    assert_eq!(verify(&tree, "").await.len(), damaged_files - moved + 3);
    let after = everything(&tree).await;
    assert!(after.iter().all(|path| before.contains(path)), "{after:?}");
}

pub(crate) async fn a_file_is_seen_in_one_place_at_a_time(context: Context) {
    let tree = open_with(&context, &["a"]).await;
    raw_put(&context, "data/a", "flipped").await;
    let newest = raw_tree(&context).await.iter().map(|entry| entry.mod_revision).max().unwrap();
    tree.quarantine(&problem_at(&tree, "a").await).await.unwrap();
    let changed: Vec<_> =
        raw_tree(&context).await.into_iter().filter(|entry| entry.mod_revision > newest).collect();
    assert_eq!(changed.len(), 4, "two values and two records: {changed:?}");
    assert!(changed.iter().all(|entry| entry.mod_revision == changed[0].mod_revision), "in one transaction");
}

async fn what_has_changed_since_is_left_alone(context: Context) {
    let tree = open_with(&context, &["a"]).await;
    let damage = async || {
        raw_put(&context, "data/a", "flipped").await;
        problem_at(&tree, "a").await
    };
    let unchanged = async |problem: &Problem| {
        let before = raw_tree(&context).await;
        refused(tree.quarantine(problem).await, ErrorKind::Conflict, "a");
        assert_eq!(raw_tree(&context).await, before);
    };
    let problem = damage().await;
    tree.store("a", "well again").await.unwrap();
    unchanged(&problem).await;
    let problem = damage().await;
    raw_put(&context, "data/a", "flipped").await;
    unchanged(&problem).await;
    let problem = damage().await;
    tree.delete("a").await.unwrap();
    unchanged(&problem).await;
    raw_put(&context, "data/a", "alone").await;
    let problem = problem_at(&tree, "a").await;
    tree.store("a", "well again").await.unwrap();
    // In the layout of caddy-etcd content alone is never moved.
    if problem.kind.is_movable() {
        unchanged(&problem).await;
    }
    // At the same time as well, were it by an attempt that is late.
    let problem = damage().await;
    let faulty = open_faulty(&context, TIMEOUT).await;
    faulty.backend().inject(first(1, moves_files, Fault::Late(LATE)));
    let (result, stored) = futures::join!(faulty.quarantine(&problem), tree.store("a", "well again"));
    stored.unwrap();
    context.sleep(LATE * 2).await;
    assert_eq!(tree.load("a").await.unwrap(), "well again", "what was stored is never moved");
    assert_eq!(tree.quarantined().await.unwrap().len(), usize::from(result.is_ok()));
}

async fn what_may_be_whole_is_left_alone(context: Context) {
    let (tree, _) = damaged_tree(&context).await;
    raw_put(&context, "notes", "x").await;
    raw_put(&context, "meta/m//x", "x").await;
    for half in ["data", "meta"] {
        let value = raw_get(&context, &format!("{half}/m/well")).await.unwrap();
        raw_put(&context, &format!("{half}/m"), value).await;
    }
    let all = problems(&tree, "").await;
    let left: Vec<_> = all.iter().filter(|problem| !problem.kind.is_movable()).collect();
    assert_eq!(left.len(), 4, "{left:?}");
    let before = raw_tree(&context).await;
    for problem in left {
        let error = tree.quarantine(problem).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    }
    assert_eq!(raw_tree(&context).await, before);
}

async fn what_does_not_fit_is_left_alone(context: Context) {
    let tree = open(&context).await;
    let limits = context.client().await.limits();
    // As large as they can be put, each in a transaction of its own.
    let overhead = Txn::new().request_bytes() + 100 + raw_key(&context, "data/a").as_bytes().len();
    let largest = (limits.max_request_bytes - overhead).min(limits.max_value_bytes);
    for half in ["data", "meta"] {
        let size = if context.layout() == LayoutKind::Native { largest } else { largest / 4 * 3 };
        raw_put(&context, &format!("{half}/a"), vec![7; size]).await;
    }
    let before = raw_tree(&context).await;
    let result = tree.quarantine(&problem_at(&tree, "a").await).await;
    if limits.max_request_bytes > 2 * largest + 20 * overhead {
        result.expect("a transaction of this store has room for any two values");
        return;
    }
    let error = refused(result, ErrorKind::TooLarge, "a");
    assert!(error.to_string().contains(&limits.max_request_bytes.to_string()), "{error}");
    assert_eq!(raw_tree(&context).await, before);
}

async fn what_was_moved_is_listed_and_loaded(context: Context) {
    let (tree, _) = damaged_tree(&context).await;
    assert_eq!(tree.quarantined().await.unwrap(), []);
    let mut moved = Vec::new();
    for problem in problems(&tree, "").await.iter().filter(|problem| problem.kind.is_movable()) {
        let values = raw_halves(&context, "", problem.path.as_ref().unwrap().as_str()).await;
        let quarantined = tree.quarantine(problem).await.unwrap();
        assert!(quarantined.host.is_some() && quarantined.pid.is_some() && quarantined.moved.is_some());
        assert_eq!(quarantined.size, values.0.as_ref().map(|content| content.len() as u64));
        let loaded = tree.load_quarantined(quarantined.id).await.unwrap();
        assert_eq!((&loaded.file, (loaded.content, loaded.metadata)), (&quarantined, values));
        moved.push(quarantined);
    }
    moved.sort_by_key(|file| file.id);
    assert_eq!(tree.quarantined().await.unwrap(), moved);
    // Also if their records cannot be read, and foreign keys are there.
    let id = moved[0].id;
    raw_put(&context, &format!("quarantine/{id}/record"), "no json").await;
    raw_put(&context, "quarantine/notes", "x").await;
    raw_put(&context, "quarantine/0000000000000000/record", "x").await;
    let listed = tree.quarantined().await.unwrap();
    assert_eq!(listed.len(), moved.len());
    assert_eq!((&listed[0].path, &listed[0].problem), (&moved[0].path, &None));
    assert_eq!(listed[1..], moved[1..]);
    let unknown: QuarantineId = "00000000000000ff".parse().unwrap();
    refused(tree.load_quarantined(unknown).await, ErrorKind::NotFound, "00000000000000ff");
}

/// Moves a file to the quarantine whose content is flipped, and flips it back there.
async fn whole_in_quarantine(context: &Context, tree: &Tree, path: &str) -> Quarantined {
    let value = raw_get(context, &format!("data/{path}")).await.unwrap();
    raw_put(context, &format!("data/{path}"), "flipped").await;
    let moved = tree.quarantine(&problem_at(tree, path).await).await.unwrap();
    raw_put(context, &format!("quarantine/{}/data/{path}", moved.id), value).await;
    moved
}

async fn what_is_whole_is_moved_back(context: Context) {
    let tree = open_with(&context, &["dir/a"]).await;
    let stored = tree.stat("dir/a").await.unwrap();
    let moved = whole_in_quarantine(&context, &tree, "dir/a").await;
    let restored = tree.restore_quarantined(moved.id).await.unwrap();
    assert_eq!(tree.load("dir/a").await.unwrap(), "dir/a");
    assert_eq!(tree.stat("dir/a").await.unwrap(), restored);
    assert_eq!((restored.modified, restored.sha1), (stored.modified, stored.sha1));
    assert_eq!(tree.quarantined().await.unwrap(), []);
    assert_eq!(raw_get(&context, &format!("quarantine/{}/record", moved.id)).await, None);
    refused(tree.restore_quarantined(moved.id).await, ErrorKind::NotFound, &moved.id.to_string());
}

async fn what_is_damaged_or_in_the_way_is_not_moved_back(context: Context) {
    let tree = open_with(&context, &["dir/a"]).await;
    let moved = whole_in_quarantine(&context, &tree, "dir/a").await;
    let stays = async |kind: ErrorKind, path: &str| {
        let before = raw_tree(&context).await;
        refused(tree.restore_quarantined(moved.id).await, kind, path);
        assert_eq!(raw_tree(&context).await, before, "{kind:?}");
    };
    for (in_the_way, kind, path) in [
        ("dir/a", ErrorKind::AlreadyExists, "dir/a"),
        ("dir", ErrorKind::NotADirectory, "dir"),
        ("dir/a/b", ErrorKind::IsADirectory, "dir/a"),
    ] {
        tree.store(in_the_way, "x").await.unwrap();
        stays(kind, path).await;
        tree.delete(in_the_way).await.unwrap();
    }
    raw_put(&context, "data/dir/a", "alone").await;
    stays(ErrorKind::Conflict, "dir/a").await;
    raw_delete(&context, "data/dir/a").await;

    let place = format!("quarantine/{}", moved.id);
    let (value, record) = raw_halves(&context, &format!("{place}/"), "dir/a").await;
    raw_put(&context, &format!("{place}/data/dir/a"), "flipped").await;
    let id = moved.id.to_string();
    for (kind, half, whole) in
        [(ErrorKind::ChecksumMismatch, "data", value), (ErrorKind::Corrupt, "meta", record)]
    {
        if half == "meta" {
            raw_put(&context, &format!("{place}/meta/dir/a"), "no json").await;
        }
        let error = tree.restore_quarantined(moved.id).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(&id) || error.to_string().contains("dir/a"), "{error}");
        raw_delete(&context, &format!("{place}/{half}/dir/a")).await;
        let error = tree.restore_quarantined(moved.id).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "half of it: {error}");
        raw_put(&context, &format!("{place}/{half}/dir/a"), whole.unwrap()).await;
    }
    tree.restore_quarantined(moved.id).await.unwrap();
    assert_eq!(tree.load("dir/a").await.unwrap(), "dir/a");
}

pub(crate) async fn only_who_asks_for_it_deletes_from_the_quarantine(context: Context) {
    let tree = open_with(&context, &["a", "b", "quarantine/file"]).await;
    let (one, other) =
        (whole_in_quarantine(&context, &tree, "a").await, whole_in_quarantine(&context, &tree, "b").await);
    assert_eq!(everything(&tree).await, ["quarantine", "quarantine/file"]);
    assert_eq!(tree.delete("quarantine").await.unwrap(), 1);
    assert_eq!(tree.delete_all().await.unwrap(), 0);
    assert_eq!(tree.quarantined().await.unwrap().len(), 2, "what is there is no file of the tree");
    let deleted = raw_get(&context, "deleted").await;
    tree.delete_quarantined(one.id).await.unwrap();
    assert_ne!(raw_get(&context, "deleted").await, deleted);
    assert_eq!(tree.quarantined().await.unwrap(), [other]);
    let left = raw_tree(&context).await;
    let place = raw_key(&context, &format!("quarantine/{}/", one.id));
    assert!(left.iter().all(|entry| !entry.key.as_bytes().starts_with(place.as_bytes())), "{left:?}");
    refused(tree.delete_quarantined(one.id).await, ErrorKind::NotFound, &one.id.to_string());
}

/// Whether a call changes the quarantine.
fn moves_files(call: &Call<'_>) -> bool {
    let is_there = |key: &Key| contains(key.as_bytes(), b"/quarantine/");
    let Call::Txn(txn) = call else { return false };
    txn.success.iter().any(|op| match op {
        Op::Put { key, .. } | Op::Delete(key) => is_there(key),
        Op::DeleteRange(range) => is_there(range.start()),
        Op::Get(_) => false,
    })
}

async fn lost_answers_are_found_out(context: Context) {
    let tree = open_faulty(&context, TIMEOUT).await;
    let plain = open(&context).await;
    for fault in [Fault::LoseAnswer, Fault::Late(LATE)] {
        plain.store("a", "a").await.unwrap();
        raw_put(&context, "data/a", "b").await;
        let spoil = || tree.backend().inject(first(1, moves_files, fault));
        let problem = problem_at(&plain, "a").await;
        spoil();
        let moved = tree.quarantine(&problem).await.unwrap();
        assert_eq!(
            plain.quarantined().await.unwrap(),
            std::slice::from_ref(&moved),
            "once, and as it was answered"
        );
        raw_put(&context, &format!("quarantine/{}/data/a", moved.id), "a").await;
        spoil();
        let restored = tree.restore_quarantined(moved.id).await.unwrap();
        assert_eq!(plain.stat("a").await.unwrap(), restored);
        assert_eq!(plain.quarantined().await.unwrap(), []);

        raw_put(&context, "data/a", "b").await;
        let moved = tree.quarantine(&problem_at(&plain, "a").await).await.unwrap();
        spoil();
        tree.delete_quarantined(moved.id).await.unwrap();
        assert_eq!(plain.quarantined().await.unwrap(), []);
        // Attempts that are late do nothing any more.
        context.sleep(LATE * 2).await;
        assert_eq!((plain.quarantined().await.unwrap(), everything(&plain).await), (Vec::new(), Vec::new()));
    }
}
