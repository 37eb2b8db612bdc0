//! `docs/writing-a-backend.md` is this crate, word for word, and shows what the suite prints.
#![allow(clippy::unwrap_used, reason = "the helpers of a test are tests")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use async_trait::async_trait;
use kv_example::ExampleBackend;
use storage_conformance::{Harness, TestStore, Time};
use storage_core::kv::{
    BackendError, KeyRange, KvBackend, Lease, LeaseId, Limits, RangePage, RangeRequest, Revision, Txn,
    TxnOutcome, TxnReply, WatchStream,
};

const GUIDE: &str = include_str!("../../docs/writing-a-backend.md");

/// Of the crate, only this file is not in the guide.
const NOT_SHOWN: &str = "tests/guide.rs";

#[test]
fn the_guide_is_the_crate_file_by_file() {
    let mut files = BTreeMap::new();
    collect(Path::new(env!("CARGO_MANIFEST_DIR")), "", &mut files).unwrap();
    files.remove(NOT_SHOWN).expect("this file");
    let manifest = files.get_mut("Cargo.toml").expect("the manifest");
    *manifest = outside_the_workspace(manifest);
    let shown = blocks();
    assert_eq!(shown.keys().collect::<Vec<_>>(), files.keys().collect::<Vec<_>>());
    for (name, text) in &files {
        assert_eq!(shown[name], *text, "{name}");
    }
}

#[test]
fn a_mistake_is_told_with_its_clause_and_with_what_was_expected_and_seen() {
    let why = storage_conformance::check(Arc::new(Mistaken), "kv::concurrency::a_counter_loses_no_increment");
    let why = why.expect_err("the mistake should be found");
    assert!(GUIDE.contains(&why), "the guide should show this:\n{why}");
    for part in ["seen: ", "expected: 120", "KV-CONC-1 Transactions are serializable: no increment"] {
        assert!(why.contains(part), "{part:?} is missing in:\n{why}");
    }
}

/// The code blocks that are headed by the name of a file.
fn blocks() -> BTreeMap<String, String> {
    let mut blocks = BTreeMap::new();
    let mut parts = GUIDE.split("\n```");
    let mut before = parts.next().unwrap();
    while let (Some(block), Some(behind)) = (parts.next(), parts.next()) {
        let heading = before.lines().rev().find(|line| !line.is_empty()).unwrap_or_default();
        if let Some(name) = heading.strip_prefix('`').and_then(|rest| rest.strip_suffix("`:")) {
            let (_language, text) = block.split_once('\n').unwrap();
            let former = blocks.insert(name.to_owned(), format!("{text}\n"));
            assert_eq!(former, None, "{name} is shown twice");
        }
        before = behind;
    }
    blocks
}

/// Reads all files below a folder, by their names.
fn collect(folder: &Path, prefix: &str, files: &mut BTreeMap<String, String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = format!("{prefix}{}", path.file_name().unwrap().to_string_lossy());
        if path.is_dir() {
            collect(&path, &format!("{name}/"), files)?;
        } else {
            files.insert(name, fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

/// The manifest as it is where the other crates are not beside it, and lints are the author's own affair.
fn outside_the_workspace(manifest: &str) -> String {
    let manifest = manifest.strip_suffix("\n[lints]\nworkspace = true\n").expect("the lints are at the end");
    let lines = manifest.lines().map(|line| match line.split_once(" = { path = ") {
        Some((name, source)) => {
            let (_path, version) = source.split_once("version = ").expect("a path has a version");
            format!("{name} = {}\n", version.trim_end_matches(" }"))
        }
        None => format!("{line}\n"),
    });
    lines.collect()
}

/// A backend with the mistake of the guide, and its own harness: it judges the compares in one step and applies the
/// operations in another.
#[derive(Clone, Default)]
struct Mistaken;

#[derive(Clone)]
struct AsksTwice(ExampleBackend);

#[async_trait]
impl KvBackend for AsksTwice {
    async fn txn(&self, mut txn: Txn) -> Result<TxnReply, BackendError> {
        let mut judged = Txn::new();
        judged.compares = std::mem::take(&mut txn.compares);
        judged.failure = std::mem::take(&mut txn.failure);
        let reply = self.0.txn(judged).await?;
        if matches!(reply.outcome, TxnOutcome::NotMatched(_)) {
            return Ok(reply);
        }
        tokio::task::yield_now().await;
        self.0.txn(txn).await
    }

    fn limits(&self) -> Limits {
        self.0.limits()
    }

    async fn range(&self, request: RangeRequest) -> Result<RangePage, BackendError> {
        self.0.range(request).await
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease, BackendError> {
        self.0.grant(ttl).await
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<Duration, BackendError> {
        self.0.keep_alive(lease).await
    }

    async fn time_to_live(&self, lease: LeaseId) -> Result<Duration, BackendError> {
        self.0.time_to_live(lease).await
    }

    async fn revoke(&self, lease: LeaseId) -> Result<(), BackendError> {
        self.0.revoke(lease).await
    }

    async fn watch(&self, range: KeyRange, after: Revision) -> Result<WatchStream, BackendError> {
        self.0.watch(range, after).await
    }
}

#[async_trait]
impl Harness for Mistaken {
    fn name(&self) -> String {
        "example".to_owned()
    }

    fn time(&self) -> Time {
        Time::Paused
    }

    fn missing(&self) -> Option<String> {
        None
    }

    async fn fresh(&self) -> Box<dyn TestStore> {
        Box::new(AsksTwice(ExampleBackend::default()))
    }
}

#[async_trait]
impl TestStore for AsksTwice {
    async fn client(&self) -> Arc<dyn KvBackend> {
        Arc::new(self.clone())
    }

    fn prefix(&self) -> String {
        "case/".to_owned()
    }

    async fn compact(&self, revision: Revision) {
        self.0.compact(revision);
    }
}
