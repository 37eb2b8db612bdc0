//! A tree of a hundred thousand files is listed in one call, and streamed without being held in memory.
//!
//! Alone in its program: it looks at the memory of the whole process.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

#[path = "etcd/support/mod.rs"]
mod support;

use bytes::Bytes;
use futures::TryStreamExt;
use storage_core::kv::{Key, KvBackendExt};
use storage_core::{KeyPrefix, ListItem, ListOptions, Storage, StorageOptions};

const FILES: u32 = 100_000;
const MIB: usize = 1 << 20;

fn path(number: u32) -> String {
    format!("certificates/issuer/host-{number:06}.example.com/host-{number:06}.example.com.crt")
}

#[tokio::test]
async fn a_hundred_thousand_files_are_listed_in_one_call_and_streamed_with_flat_memory() {
    support::on_each_etcd("listing", |etcd| async move {
        let backend = support::connect(&etcd).await;
        let options = StorageOptions::new().with_prefix(KeyPrefix::parse("/test").unwrap());
        let tree = Storage::open(backend.clone(), options).await.unwrap();
        tree.store("template", "x").await.unwrap();
        let record = backend.get(Key::new("/test/meta/template")).await.unwrap().unwrap().value;
        tree.delete("template").await.unwrap();
        for part in ["meta", "data"] {
            let value = if part == "meta" { record.clone() } else { Bytes::from_static(b"x") };
            let keys = (0..FILES).map(|number| Key::new(format!("/test/{part}/{}", path(number))));
            support::fill(&backend, keys, &value).await;
        }

        // Streamed first: what a list took from the system it might never give back.
        let before = resident();
        let mut stream = tree.list_stream("certificates", ListOptions::descendants().with_metadata());
        let (mut entries, mut files, mut most) = (0, 0, before);
        while let Some(item) = stream.try_next().await.unwrap() {
            let ListItem::Entry(entry) = item else { panic!("nothing was compacted") };
            entries += 1;
            if let Some(metadata) = entry.metadata {
                assert_eq!(metadata.unwrap().size, 1);
                assert_eq!(entry.path.as_str(), path(files));
                files += 1;
            }
            if entries % 1_000 == 0 {
                most = most.max(resident());
            }
        }
        assert_eq!((files, entries), (FILES, 2 * FILES + 1));
        let streamed = most.saturating_sub(before);

        let before = resident();
        let listed = tree.list("certificates/issuer", ListOptions::children()).await.unwrap();
        assert_eq!(listed.len(), FILES as usize);
        let all = tree.list("", ListOptions::descendants().with_metadata()).await.unwrap();
        assert_eq!(all.len(), 2 * FILES as usize + 2);
        let collected = resident().saturating_sub(before);
        println!("streaming took {} MiB, collecting {} MiB", streamed / MIB, collected / MIB);
        assert!(streamed < 32 * MIB, "streaming took {} MiB", streamed / MIB);
        assert_eq!(tree.delete("certificates").await.unwrap(), u64::from(FILES));
    })
    .await;
}

/// The memory of this process, in bytes; zero where the system does not tell, which checks nothing.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
    line.and_then(|kib| kib.trim().parse::<usize>().ok()).unwrap_or(0) * 1024
}
