//! The bytes of a small tree, as `docs/format.md` shows them: every key and every value.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, SystemTime};

use futures::TryStreamExt;
use kv_memory::MemoryBackend;
use storage_core::kv::{Entry, KeyRange, KvBackendExt, RangeRequest};
use storage_core::{Environment, LockOptions, Storage, StorageOptions};

/// Clocks that stand still. What is drawn is sixteen times `01`, sixteen times `02` and so on.
#[derive(Default)]
struct Fixed {
    drawn: AtomicU8,
}

impl Environment for Fixed {
    fn wall_clock(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000, 120_000_789)
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn random(&self) -> [u8; 16] {
        [self.drawn.fetch_add(1, Ordering::Relaxed) + 1; 16]
    }
}

#[tokio::test]
async fn a_small_tree_is_stored_as_the_document_shows_it() {
    let store = MemoryBackend::new();
    let options = StorageOptions::new().with_environment(Arc::new(Fixed::default()));
    let tree = Storage::open(store.clone(), options).await.unwrap();
    tree.store("sites/bücher.example/key.pem", &b"key\x00\xff\n"[..]).await.unwrap();
    tree.store("old", "").await.unwrap();
    tree.delete("old").await.unwrap();
    let label = LockOptions::new().with_label("renew");
    let guard = tree.lock_with("issue 100%/*.example", label).await.unwrap();

    // The one thing that tells where the test runs.
    let holder = tree.locks().await.unwrap().remove(0);
    let (host, pid) = (holder.host.unwrap(), holder.pid.unwrap());
    let here = format!(r#""host":"{host}","pid":{pid},"#);
    let found = shown(&everything(&store).await).replace(&here, r#""host":"node-a","pid":42,"#);
    assert_eq!(found, block("golden tree"), "docs/format.md should show this:\n{found}");

    guard.unlock().await.unwrap();
    tree.close().await.unwrap();
    let without_lease = |entry: &String| !entry.contains(" (lease)\n");
    let lasting: String = entries(&found).filter(without_lease).collect();
    assert_eq!(shown(&everything(&store).await), lasting);
}

async fn everything(store: &MemoryBackend) -> Vec<Entry> {
    let entries = store.scan(RangeRequest::new(KeyRange::prefix(""))).try_collect().await;
    entries.expect("a store in this process answers")
}

/// A line for each key, and one for its value below it.
fn shown(entries: &[Entry]) -> String {
    let lines = entries.iter().map(|entry| {
        let lease = if entry.lease.is_some() { " (lease)" } else { "" };
        format!("{}{lease}\n    {}\n", escaped(entry.key.as_bytes()), escaped(&entry.value))
    });
    lines.collect()
}

/// What is printable ASCII as it is, all else as in Rust.
fn escaped(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string().replace("\\\"", "\"").replace("\\'", "'")
}

/// The entries of a text that shows them.
fn entries(shown: &str) -> impl Iterator<Item = String> {
    let lines: Vec<_> = shown.lines().collect();
    lines.chunks(2).map(|entry| entry.join("\n") + "\n").collect::<Vec<_>>().into_iter()
}

/// The block of `docs/format.md` that is marked so.
fn block(mark: &str) -> String {
    let document = include_str!("../../../docs/format.md");
    let (_, rest) = document.split_once(&format!("\n```text {mark}\n")).expect("the block is there");
    let (block, _) = rest.split_once("\n```").expect("the block ends");
    format!("{block}\n")
}
