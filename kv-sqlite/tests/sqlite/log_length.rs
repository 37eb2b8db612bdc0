//! The write-ahead log stays bounded although there is always somebody who reads.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kv_sqlite::{Durability, SqliteBackend, SqliteOptions};
use rusqlite::Connection;
use storage_core::kv::{Key, KvBackendExt as _};

use crate::support;

/// Reads with two connections, one of which always begins before the other ends.
fn keep_reading(file: &Path, is_over: &AtomicBool) {
    let [mut reading, mut next] = [(); 2].map(|()| Connection::open(file).unwrap());
    let begin = |connection: &Connection| connection.execute_batch("BEGIN; SELECT * FROM meta").is_ok();
    while !begin(&reading) {}
    while !is_over.load(Ordering::Relaxed) {
        std::thread::yield_now();
        if begin(&next) {
            reading.execute_batch("ROLLBACK").unwrap();
        } else {
            // Busy for a moment, in which the log begins anew.
            let _ = next.execute_batch("ROLLBACK");
            let _ = reading.execute_batch("ROLLBACK");
            while !begin(&next) {
                let _ = next.execute_batch("ROLLBACK");
            }
        }
        std::mem::swap(&mut reading, &mut next);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_cut_although_readers_never_all_pause() {
    const MIB: usize = 1 << 20;
    let folder = support::folder();
    let file = folder.path().join("store.db");
    let options = SqliteOptions::default().with_durability(Durability::Normal);
    let backend = SqliteBackend::open(&file, options).await.unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let reader = std::thread::spawn({
        let (file, is_over) = (file.clone(), Arc::clone(&is_over));
        move || keep_reading(&file, &is_over)
    });
    let mut longest = 0;
    for round in 0..250 {
        backend.put(Key::new(format!("{}", round % 4)), vec![7; MIB].into()).await.unwrap();
        longest = longest.max(std::fs::metadata(folder.path().join("store.db-wal")).unwrap().len());
    }
    is_over.store(true, Ordering::Relaxed);
    reader.join().unwrap();
    println!("250 MiB were written, the log was {} MiB long at most", longest >> 20);
    assert!(longest < 72 << 20, "{longest}");
}
