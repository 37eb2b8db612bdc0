//! Tests of a program that keeps files in kvfs, without a server.

use std::time::Duration;

use kv_memory::MemoryBackend;
use storage_core::kv::KvBackend;
use storage_core::{Error, ErrorKind, LockOptions, Storage, StorageOptions};

/// What is tested. It works on every backend.
async fn renew<B: KvBackend>(storage: &Storage<B>, certificate: &str) -> Result<(), Error> {
    let options = LockOptions::new().with_deadline(Duration::from_secs(60));
    let guard = storage.lock_with("renew example.com", options).await?;
    guard.store("sites/example.com/cert.pem", certificate.to_owned()).await?;
    guard.unlock().await
}

#[tokio::test]
async fn another_member_loads_what_was_renewed() {
    // Every clone is a client of the same store, as every process is one of the same etcd.
    let store = MemoryBackend::new();
    let one = Storage::open(store.clone(), StorageOptions::new()).await.unwrap();
    let other = Storage::open(store, StorageOptions::new()).await.unwrap();

    renew(&one, "a certificate").await.unwrap();
    assert_eq!(other.load("sites/example.com/cert.pem").await.unwrap(), "a certificate");
}

// The clock is paused, so nobody waits for the minute.
#[tokio::test(start_paused = true)]
async fn nothing_is_renewed_while_another_member_has_the_lock() {
    let store = MemoryBackend::new();
    let one = Storage::open(store.clone(), StorageOptions::new()).await.unwrap();
    let other = Storage::open(store, StorageOptions::new()).await.unwrap();

    let _guard = other.lock("renew example.com").await.unwrap();
    let error = renew(&one, "a certificate").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LockTimeout);
    assert!(!one.exists("sites").await.unwrap());
}
