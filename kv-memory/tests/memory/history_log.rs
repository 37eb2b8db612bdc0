//! The log of a history is what the store says, whole or not at all.

use kv_memory::MemoryBackend;
use storage_conformance::history::{
    Call, Log, Outcome, PlaceKind, RecordedStorage, Recorder, Rule, check_revisions,
};
use storage_core::kv::{BackendErrorKind, Key, KvBackend, KvBackendExt, Op, Revision, Txn};
use storage_core::{LockOptions, Storage, StorageOptions};

async fn open(backend: &MemoryBackend) -> Storage<MemoryBackend> {
    Storage::open(backend.clone(), StorageOptions::new()).await.unwrap()
}

async fn read(tree: &Storage<MemoryBackend>, since: u64) -> Log {
    Log::read(tree.backend(), tree.prefix(), Revision(since)).await.unwrap()
}

/// The files of each transaction, with their contents.
fn shown(log: &Log) -> Vec<Vec<(String, Option<String>)>> {
    let content = |content: &[u8]| String::from_utf8(content.to_vec()).unwrap();
    let files = log.transactions.iter().map(|transaction| {
        let file = |(path, stored): &(String, Option<_>)| (path.clone(), stored.as_deref().map(content));
        transaction.files.iter().map(file).collect()
    });
    files.collect()
}

fn file(path: &str, content: Option<&str>) -> (String, Option<String>) {
    (path.to_owned(), content.map(str::to_owned))
}

#[tokio::test(start_paused = true)]
async fn every_change_of_a_file_is_in_it_with_its_content_and_revision() {
    let tree = open(&MemoryBackend::new()).await;
    let first = tree.store("d/a", "1").await.unwrap().version.revision();
    tree.store_many([("d/b", "2"), ("c", "")]).await.unwrap();
    tree.rename("d/a", "e").await.unwrap();
    tree.delete("d").await.unwrap();
    tree.delete("nothing").await.unwrap();
    let log = read(&tree, 0).await;
    let expected = [
        vec![file("d/a", Some("1"))],
        vec![file("c", Some("")), file("d/b", Some("2"))],
        vec![file("d/a", None), file("e", Some("1"))],
        vec![file("d/b", None)],
    ];
    assert_eq!(shown(&log), expected);
    assert_eq!(log.transactions[0].revision, first);
    assert_eq!(log.files().into_keys().collect::<Vec<_>>(), ["c", "e"]);
    assert_eq!(log.revisions().count(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_was_there_before_is_in_it_as_it_was_left() {
    let tree = open(&MemoryBackend::new()).await;
    for content in ["1", "2"] {
        tree.store("a", content).await.unwrap();
    }
    let since = tree.store("b", "3").await.unwrap().version.revision();
    let recorder = Recorder::new();
    let client = RecordedStorage::new(tree.clone(), recorder.clone(), 0);
    client.load_file("a").await.unwrap();
    client.store("b", "4").await.unwrap();
    let log = read(&tree, since.0).await;
    let expected = [vec![file("a", Some("2"))], vec![file("b", Some("3"))], vec![file("b", Some("4"))]];
    assert_eq!(shown(&log), expected);
    assert_eq!(check_revisions(&recorder.history(), &log), []);
    assert_eq!(log.revisions().count(), 1);
}

#[tokio::test(start_paused = true)]
async fn places_in_the_queues_of_locks_are_in_it() {
    let tree = open(&MemoryBackend::new()).await;
    let recorder = Recorder::new();
    let client = RecordedStorage::new(tree.clone(), recorder.clone(), 0);
    let guard = client.lock("a/b", LockOptions::new()).await.unwrap();
    guard.store("x", "1").await.unwrap();
    guard.unlock().await.unwrap();
    let log = read(&tree, 0).await;
    let places = log.transactions.iter().flat_map(|transaction| &transaction.places);
    let kinds: Vec<_> = places.map(|place| (place.queue.as_str(), place.kind)).collect();
    assert_eq!(kinds, [("a%2Fb", PlaceKind::Came), ("a%2Fb", PlaceKind::Went)]);
    let history = recorder.history();
    assert_eq!(check_revisions(&history, &log), []);
    assert!(matches!(history[1].call, Call::Store { .. }) && history[1].fence.is_some());
    assert_eq!(history[2].outcome, Outcome::Released);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_was_given_up_in_part_is_none() {
    let backend = MemoryBackend::new();
    let tree = open(&backend).await;
    for content in ["1", "2", "3"] {
        tree.store("a", content).await.unwrap();
    }
    let newest = tree.stat("a").await.unwrap().version.revision();
    backend.compact(newest).unwrap();
    let error = Log::read(&backend, tree.prefix(), Revision::ZERO).await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::Compacted);
    // Who follows from the beginning has it all.
    let (tell, last) = tokio::sync::oneshot::channel::<Revision>();
    let (follower, prefix) = (backend.clone(), tree.prefix().clone());
    let following = tokio::spawn(async move {
        Log::follow(&follower, &prefix, newest, async { last.await.unwrap() }).await.unwrap()
    });
    let mut newest = newest;
    for content in ["4", "5", "6"] {
        newest = tree.store("a", content).await.unwrap().version.revision();
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        backend.compact(newest).unwrap();
    }
    tell.send(newest).unwrap();
    let log = following.await.unwrap();
    let expected = ["3", "4", "5", "6"].map(|content| vec![file("a", Some(content))]);
    assert_eq!(shown(&log), expected);
}

#[tokio::test(start_paused = true)]
async fn content_that_does_not_go_with_its_record_is_found() {
    let key = |kind: &str| Key::new(format!("/caddy/{kind}/a"));
    let put = |kind: &str, value: &'static str| Op::Put { key: key(kind), value: value.into(), lease: None };
    let changes = [
        ("content without a record", vec![put("data", "2")]),
        ("a record without content", vec![put("meta", "{}")]),
        ("a record of another content", vec![put("data", "2"), put("meta", r#"{"sha1":"x"}"#)]),
        ("only the content deleted", vec![Op::Delete(key("data"))]),
        ("content put and record deleted", vec![put("data", "2"), Op::Delete(key("meta"))]),
    ];
    for (what, ops) in changes {
        let backend = MemoryBackend::new();
        let tree = open(&backend).await;
        let recorder = Recorder::new();
        RecordedStorage::new(tree.clone(), recorder.clone(), 0).store("a", "1").await.unwrap();
        assert_eq!(check_revisions(&recorder.history(), &read(&tree, 0).await), []);
        backend.txn(ops.into_iter().fold(Txn::new(), Txn::then)).await.unwrap();
        let violations = check_revisions(&recorder.history(), &read(&tree, 0).await);
        assert_eq!(violations.first().map(|violation| violation.rule), Some(Rule::Log), "{what}");
    }
    // A foreign key is nobody's business.
    let backend = MemoryBackend::new();
    let tree = open(&backend).await;
    backend.put(Key::new("/caddy/foreign"), "x".into()).await.unwrap();
    assert_eq!(check_revisions(&[], &read(&tree, 0).await), []);
}

#[tokio::test(start_paused = true)]
async fn damage_that_a_client_sees_is_found() {
    let backend = MemoryBackend::new();
    let tree = open(&backend).await;
    let recorder = Recorder::new();
    let client = RecordedStorage::new(tree.clone(), recorder.clone(), 0);
    client.store("a", "1").await.unwrap();
    let log = read(&tree, 0).await;
    backend.put(Key::new("/caddy/data/a"), "2".into()).await.unwrap();
    client.load("a").await.unwrap_err();
    let violations = check_revisions(&recorder.history(), &log);
    assert_eq!(violations.first().map(|violation| violation.rule), Some(Rule::Answer));
}
