use std::io;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use clap::Parser;
use kv_memory::MemoryBackend;
use serde_json::Value;
use storage_core::kv::{Key, KvBackend, KvBackendExt, Op, Txn};
use storage_core::{KeyPrefix, LayoutKind, ListOptions, Storage, StorageOptions};

use super::Ends;
use super::pass::pass;
use super::report::{Report, Trouble};
use crate::choice::Given;
use crate::cli::{Cli, Command, Migrate};
use crate::interrupt::Interrupt;
use crate::output::{Format, Output};
use crate::session::{Session, Tree};
use crate::telling::Verbosity;

const BOTH: [LayoutKind; 2] = [LayoutKind::CaddyEtcd, LayoutKind::Native];

async fn tree(memory: &MemoryBackend, prefix: &str, layout: LayoutKind) -> Tree {
    let options = StorageOptions::new().with_prefix(KeyPrefix::parse(prefix).unwrap()).with_layout(layout);
    Storage::open(Arc::new(memory.clone()) as Arc<dyn KvBackend>, options).await.unwrap()
}

/// What the Go module has left in an etcd.
async fn load_golden(memory: &MemoryBackend) {
    for line in include_str!("golden.jsonl").lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let [key, value] =
            ["key", "value"].map(|field| BASE64_STANDARD.decode(line[field].as_str().unwrap()).unwrap());
        memory.put(Key::new(key), value.into()).await.unwrap();
    }
}

fn args(more: &[&str]) -> Migrate {
    let common = ["kvfs", "migrate", "--from=caddy-etcd", "memory:", "memory:"];
    let cli = Cli::try_parse_from(common.iter().chain(more)).unwrap();
    let Command::Migrate(args) = cli.command else { panic!("it is another command") };
    *args
}

fn session() -> Session {
    let mut session = Session::new(Format::Json, Given::default(), Verbosity::Normal);
    session.output = Output::new(Format::Json, io::sink());
    session
}

async fn migrate(from: &Tree, to: &Tree, more: &[&str]) -> Report {
    let mut session = session();
    let mut report = Report::new(Format::Json);
    pass(Ends { from, to }, &args(more), &mut report, &Interrupt::never(), &mut session).await.unwrap();
    report
}

/// Every file with its content, size, SHA-1 and time.
async fn contents(tree: &Tree) -> Vec<(String, Vec<u8>, String)> {
    let mut all = Vec::new();
    for entry in tree.list("", ListOptions::descendants()).await.unwrap() {
        if entry.kind == storage_core::EntryKind::File {
            let file = tree.load_file(entry.path.as_str()).await.unwrap();
            let about =
                format!("{} {:?} {:?}", file.metadata.size, file.metadata.sha1, file.metadata.modified);
            all.push((entry.path.to_string(), file.content.to_vec(), about));
        }
    }
    all
}

async fn store_many(tree: &Tree, count: usize) {
    for chunk in 0..count / 50 {
        let files = (0..50).map(|n| (format!("generated/{:03}/{chunk}-{n}", n % 7), format!("{chunk} {n}")));
        tree.store_many(files).await.unwrap();
    }
}

#[tokio::test]
async fn a_tree_is_the_same_in_each_layout_and_the_second_time_there_is_nothing_to_do() {
    const MANY: usize = 10_000;
    for layout in BOTH {
        let memory = MemoryBackend::new();
        load_golden(&memory).await;
        let (from, to) = (tree(&memory, "/caddy", BOTH[0]).await, tree(&memory, "/new", layout).await);
        store_many(&from, MANY).await;
        let report = migrate(&from, &to, &[]).await;
        assert_eq!((report.copied, report.unchanged), (MANY as u64 + 16, 0), "{layout}");
        assert!(report.is_identical(), "{:?}", report.problems);
        assert_eq!(contents(&from).await, contents(&to).await);
        let again = migrate(&from, &to, &[]).await;
        assert_eq!((again.copied, again.removed, again.unchanged), (0, 0, MANY as u64 + 16), "{layout}");
        assert!(again.is_identical());
    }
}

#[tokio::test]
async fn what_has_changed_is_copied_and_what_is_gone_is_removed_if_asked() {
    let memory = MemoryBackend::new();
    load_golden(&memory).await;
    let (from, to) = (tree(&memory, "/caddy", BOTH[0]).await, tree(&memory, "/new", BOTH[1]).await);
    migrate(&from, &to, &[]).await;
    from.store("last_clean.json", "newer").await.unwrap();
    from.store("added", "x").await.unwrap();
    assert_eq!(from.delete("certificates").await.unwrap(), 6);
    let report = migrate(&from, &to, &[]).await;
    assert_eq!((report.copied, report.extra, report.is_identical()), (2, 6, false));
    assert_eq!(to.load("last_clean.json").await.unwrap(), "newer");
    let report = migrate(&from, &to, &["--delete"]).await;
    assert_eq!((report.copied, report.removed, report.is_identical()), (0, 6, true));
    assert_eq!(contents(&from).await, contents(&to).await);
}

#[tokio::test]
async fn what_is_newer_in_the_destination_stays() {
    let memory = MemoryBackend::new();
    let (from, to) = (tree(&memory, "/caddy", BOTH[0]).await, tree(&memory, "/new", BOTH[1]).await);
    from.store("a", "old").await.unwrap();
    migrate(&from, &to, &[]).await;
    to.store("a", "renewed after the switch").await.unwrap();
    let report = migrate(&from, &to, &[]).await;
    assert_eq!((report.copied, report.count(Trouble::Newer)), (0, 1));
    assert_eq!(to.load("a").await.unwrap(), "renewed after the switch");
}

#[tokio::test]
async fn five_that_are_damaged_are_reported_and_the_rest_is_moved() {
    let memory = MemoryBackend::new();
    load_golden(&memory).await;
    let key = |rest: &str| Key::new(format!("/caddy/{rest}"));
    memory.put(key("md/empty/value"), "no base64!".into()).await.unwrap();
    memory.put(key("md/last_clean.json"), BASE64_STANDARD.encode("{\"Path\":1}").into()).await.unwrap();
    memory.put(key("ocsp/example.com-1a2b3c4d"), BASE64_STANDARD.encode("other").into()).await.unwrap();
    for gone in ["leading/slash", "md/space key/with space"] {
        memory.txn(Txn::new().then(Op::Delete(key(gone)))).await.unwrap();
    }
    let (from, to) = (tree(&memory, "/caddy", BOTH[0]).await, tree(&memory, "/new", BOTH[1]).await);
    for copied in [11, 0] {
        let report = migrate(&from, &to, &["--delete"]).await;
        assert_eq!((report.copied, report.count(Trouble::Damaged)), (copied, 5), "{:?}", report.problems);
        assert_eq!((report.problems.len(), report.differing, report.extra), (5, 0, 0));
        assert!(!report.is_identical());
    }
    assert_eq!(contents(&to).await.len(), 11);
}

/// Stores as the Go module does, which takes any name.
async fn store_as_go(memory: &MemoryBackend, name: &str, content: &str) {
    let path = name.split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
    let hash = storage_core::Sha1Digest::of(content.as_bytes()).as_bytes().to_vec();
    let (size, time) = (content.len(), "2026-11-23T07:18:04.5Z");
    let meta =
        serde_json::json!({"Path": name, "Size": size, "Timestamp": time, "Hash": hash, "IsDir": false});
    for (key, value) in
        [(format!("/caddy/{path}"), content.to_owned()), (format!("/caddy/md/{path}"), meta.to_string())]
    {
        memory.put(Key::new(key), BASE64_STANDARD.encode(value).into()).await.unwrap();
    }
}

#[tokio::test]
async fn names_that_are_refused_are_reported_skipped_or_put_elsewhere_and_never_lost() {
    let memory = MemoryBackend::new();
    let irregular = ["lock/x", "back\\slash", "both", "twice//slashed", "trailing/", "md/y"];
    store_as_go(&memory, "fine", "fine").await;
    store_as_go(&memory, "both/below", "both/below").await;
    for name in irregular {
        store_as_go(&memory, name, name).await;
    }
    let from = tree(&memory, "/caddy", BOTH[0]).await;
    let to = tree(&memory, "/new", BOTH[1]).await;
    let report = migrate(&from, &to, &[]).await;
    assert_eq!(
        (report.copied, report.count(Trouble::Refused)),
        (2, irregular.len()),
        "{:?}",
        report.problems
    );
    assert!(!report.is_identical());
    let report = migrate(&from, &to, &["--refused=skip"]).await;
    assert_eq!((report.copied, report.skipped, report.problems.len()), (0, irregular.len() as u64, 0));
    let report = migrate(&from, &to, &["--refused=rename=from go"]).await;
    assert_eq!(
        (report.copied, report.problems.len(), report.is_identical()),
        (6, 0, true),
        "{:?}",
        report.problems
    );
    for (path, content) in [
        ("from go/lock/x", "lock/x"),
        ("from go/back%5Cslash", "back\\slash"),
        ("from go/both", "both"),
        ("from go/twice/slashed", "twice//slashed"),
        ("from go/trailing", "trailing/"),
        ("from go/md/y", "md/y"),
        ("both/below", "both/below"),
    ] {
        assert_eq!(to.load(path).await.unwrap(), content, "{path}");
    }
    let again = migrate(&from, &to, &["--refused=rename=from go"]).await;
    assert_eq!((again.copied, again.is_identical()), (0, true));
}

#[tokio::test]
async fn a_rehearsal_writes_nothing() {
    let memory = MemoryBackend::new();
    load_golden(&memory).await;
    let (from, to) = (tree(&memory, "/caddy", BOTH[0]).await, tree(&memory, "/new", BOTH[1]).await);
    let report = migrate(&from, &to, &["--dry-run"]).await;
    assert_eq!((report.copied, report.is_rehearsal), (16, true));
    assert_eq!(contents(&to).await, []);
    assert!(memory.get(Key::new("/new/format")).await.unwrap().is_none());
    assert!(memory.get(Key::new("/caddy/lock/md//format")).await.unwrap().is_none(), "nor in the source");
}

#[tokio::test(start_paused = true)]
async fn a_cut_over_waits_until_nothing_changes_and_refuses_while_members_hold_locks() {
    let memory = MemoryBackend::new();
    load_golden(&memory).await;
    let (from, to) = (tree(&memory, "/caddy", BOTH[0]).await, tree(&memory, "/new", BOTH[1]).await);
    let mut session = session();
    let place = super::place("memory:", "DESTINATION", &session).await.unwrap();
    let (args, never) = (args(&["--cut-over"]), Interrupt::never());
    let ends = Ends { from: &from, to: &to };
    let mut report = Report::new(Format::Json);
    let writer = {
        let from = from.clone();
        tokio::spawn(async move {
            for number in 0..3 {
                tokio::time::sleep(Duration::from_secs(4)).await;
                from.store("late", number.to_string()).await.unwrap();
            }
        })
    };
    // When the lock of the golden data was taken depends on the clock here.
    memory.txn(Txn::new().then(Op::Delete(Key::new("/caddy/lock/issue_cert_example.com")))).await.unwrap();
    super::cut_over::run(ends, &args, &place, &mut report, &never, &mut session).await.unwrap();
    assert!(writer.is_finished(), "three changes, four seconds apart, are waited for");
    assert!(report.is_identical() && !report.advice.is_empty());
    assert_eq!(to.load("late").await.unwrap(), "2");
    assert_eq!(contents(&from).await, contents(&to).await);

    // A member that has a lock now.
    let now = jiff::Timestamp::now();
    let lock = serde_json::json!({"Token": "t", "Obtained": now.to_string(), "Key": "issue", "LeaseID": 1});
    let value = BASE64_STANDARD.encode(lock.to_string());
    memory.put(Key::new("/caddy/lock/issue"), value.into()).await.unwrap();
    let refused =
        super::cut_over::run(ends, &args, &place, &mut report, &never, &mut session).await.unwrap_err();
    assert!(format!("{refused:?}").contains("\\\"issue\\\""), "{refused:?}");
}
