//! A file that all members of a cluster share, and a lock that one of them has at a time.

use std::error::Error;
use std::time::Duration;

use futures::StreamExt;
use kv_etcd::{EtcdBackend, EtcdConfig};
use storage_core::{LockOptions, Storage, WatchEvent};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let endpoint = std::env::args().nth(1).unwrap_or_else(|| "http://127.0.0.1:2379".to_owned());
    first_steps(&endpoint).await
}

pub(crate) async fn first_steps(endpoint: &str) -> Result<(), Box<dyn Error>> {
    let config = EtcdConfig::builder([endpoint]).with_prefix("/first-steps").build()?;
    let storage = Storage::open(EtcdBackend::connect(&config).await?, config.storage_options()).await?;
    let mut changes = storage.watch("sites").await?;

    // Any other program that opens the same prefix sees the file from here on.
    storage.store("sites/example.com/cert.pem", "a certificate").await?;
    let cert = storage.load("sites/example.com/cert.pem").await?;
    println!("loaded {:?}", String::from_utf8_lossy(&cert));

    // One at a time in the whole cluster. Who has waited for a minute gives up with `LockTimeout`.
    let options = LockOptions::new().with_deadline(Duration::from_secs(60)).with_label("first steps");
    let guard = storage.lock_with("renew example.com", options).await?;
    println!("locked, with the token {}", guard.token());
    // Through the guard: a holder that has lost the lock without knowing writes nothing.
    guard.store("sites/example.com/cert.pem", "a new certificate").await?;
    guard.unlock().await?;

    // Both writes, in their order.
    for _ in 0..2 {
        if let Some(WatchEvent::Change { kind, path, version, .. }) = changes.next().await.transpose()? {
            println!("{kind:?} {path} at {version}");
        }
    }
    // Ends the session, so that nobody has to wait for the end of its lease.
    storage.close().await?;
    Ok(())
}
