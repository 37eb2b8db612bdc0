//! The example that `docs/getting-started.md` shows does on a real etcd what it says.

#[allow(dead_code, reason = "its `main` is for the command line")]
#[path = "../../examples/first_steps.rs"]
mod example;

use futures::TryStreamExt;
use storage_core::kv::{Entry, Key, KeyRange, KvBackendExt, RangeRequest};

use crate::support;

#[tokio::test]
async fn the_example_leaves_its_file_and_no_lock() {
    support::on_each_etcd("first steps", |etcd| async move {
        example::first_steps(&etcd.endpoint()).await.unwrap();
        let backend = support::connect(&etcd).await;
        let everything = backend.scan(RangeRequest::new(KeyRange::prefix("/first-steps/")));
        let left: Vec<Entry> = everything.try_collect().await.unwrap();
        let keys: Vec<_> = left.into_iter().map(|entry| entry.key).collect();
        let expected = ["data/sites/example.com/cert.pem", "format", "meta/sites/example.com/cert.pem"];
        assert_eq!(keys, expected.map(|key| Key::new(format!("/first-steps/{key}"))));
    })
    .await;
}
