//! What operators see of the operations: events, spans and metrics, and never a content.
#![allow(clippy::unwrap_used, reason = "the helpers of a test are tests")]

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kv_memory::MemoryBackend;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use storage_conformance::decorate::{Call, Fault, Faulty};
use storage_core::{Storage, StorageOptions};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;

type Tree = Storage<Arc<Faulty<MemoryBackend>>>;

const SECRET: &str = "-----BEGIN PRIVATE KEY----- sentinel";

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Captured {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl fmt::Display for Captured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0.lock().unwrap()))
    }
}

async fn open() -> Tree {
    let options = StorageOptions::new().with_lock_timeout(Duration::from_secs(30));
    Storage::open(Arc::new(Faulty::new(MemoryBackend::new())), options).await.unwrap()
}

/// A bit of everything: writes, refusals, a lost answer, a lock, and a session that is lost.
async fn use_it(tree: &Tree) {
    tree.store("sites/key.pem", SECRET).await.unwrap();
    tree.load("sites/key.pem").await.unwrap();
    tree.load("nothing").await.unwrap_err();
    tree.backend().inject(|call| matches!(call, Call::Txn(_)).then_some(Fault::LoseAnswer));
    let lost = tree.store("sites/key.pem", SECRET);
    let heal = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        tree.backend().heal();
    };
    tokio::join!(lost, heal).0.unwrap();
    let guard = tree.lock("issue").await.unwrap();
    tree.backend().inject(|call| matches!(call, Call::KeepAlive(_)).then_some(Fault::Refuse));
    guard.lost().await;
    tree.backend().heal();
    drop(guard);
    tree.lock("issue").await.unwrap().unlock().await.unwrap();
    tree.close().await.unwrap();
}

/// One test: another in this process that has no subscriber could switch the events off for this one.
#[test]
fn operations_and_sessions_are_logged_and_counted_and_contents_are_not() {
    let captured = Captured::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::CLOSE)
        .with_ansi(false)
        .with_writer(captured.clone())
        .finish();
    let recorder = DebuggingRecorder::new();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    metrics::with_local_recorder(&recorder, || {
        tracing::subscriber::with_default(subscriber, || {
            runtime.block_on(async { use_it(&open().await).await });
        });
    });
    check_log(&captured.to_string());
    check_metrics(&recorder.snapshotter());
}

fn check_log(text: &str) {
    for expected in [
        r#"operation{operation="store" path="sites/key.pem" elapsed_ms="#,
        r#"operation{operation="load" path="nothing" elapsed_ms=0 outcome="not_found"}"#,
        r#"operation{operation="unlock" path="issue" elapsed_ms=0 outcome="ok"}"#,
        "WARN operation{operation=\"store\" path=\"sites/key.pem\"}: storage_core::observe: the answer to a write was lost",
        "found out what became of a write whose answer was lost applied=true",
        "a session has begun session=",
        "a session could not be renewed session=",
        "a session was lost session=",
        "locks=1",
        "a lock was taken path=\"issue\" waited_ms=0",
        "a session was closed",
    ] {
        assert!(text.contains(expected), "{expected:?} is missing in\n{text}");
    }
    assert!(!text.contains("PRIVATE KEY"), "{text}");
}

fn check_metrics(snapshotter: &Snapshotter) {
    let counted: Vec<(String, u64)> = snapshotter
        .snapshot()
        .into_vec()
        .into_iter()
        .map(|(key, _, _, value)| {
            let labels: Vec<_> = key.key().labels().map(|label| label.value().to_owned()).collect();
            let count = match value {
                DebugValue::Counter(count) => count,
                DebugValue::Histogram(values) => values.len() as u64,
                DebugValue::Gauge(_) => 0,
            };
            (format!("{} {}", key.key().name(), labels.join(" ")).trim_end().to_owned(), count)
        })
        .collect();
    for (name, count) in [
        ("kvfs_operations_total store ok", 2),
        ("kvfs_operations_total load ok", 1),
        ("kvfs_operations_total load not_found", 1),
        ("kvfs_operations_total lock ok", 2),
        ("kvfs_operation_duration_seconds load", 2),
        ("kvfs_lock_wait_seconds", 2),
        ("kvfs_lost_answers_total", 1),
        ("kvfs_sessions_begun_total", 2),
        ("kvfs_sessions_lost_total", 1),
    ] {
        assert!(counted.contains(&(name.to_owned(), count)), "{name} {count} is missing in {counted:#?}");
    }
    let failed =
        counted.iter().find(|(name, _)| name == "kvfs_renewals_failed_total").map(|(_, count)| *count);
    assert!(failed >= Some(5), "{failed:?}");
}
