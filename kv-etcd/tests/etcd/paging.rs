//! A listing of many keys is complete, whatever the size of its pages, and its later pages cost less than walking to the
//! end of the range.

use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use kv_etcd::EtcdBackend;
use storage_core::kv::{
    Consistency, Cursor, Entry, Key, KeyRange, KvBackend, KvBackendExt, Projection, RangeRequest,
};
use tokio::time::Instant;

use crate::support;

const KEYS: u32 = 100_000;

fn key(number: u32) -> Key {
    Key::new(format!("/test/meta/host-{number:06}.example.com/host-{number:06}.crt"))
}

fn keys_only() -> RangeRequest {
    RangeRequest::new(KeyRange::prefix("/test/meta/")).with_projection(Projection::KeysOnly)
}

#[tokio::test]
async fn a_hundred_thousand_keys_are_listed_completely_and_cheaply() {
    support::on_each_etcd("paging", |etcd| async move {
        let backend = support::connect(&etcd).await;
        support::fill(&backend, (0..KEYS).map(key), &Bytes::from("v")).await;
        // A neighbour on either side, which must not appear.
        support::fill(&backend, [Key::new("/test/meta"), Key::new("/test/meta0")], &Bytes::new()).await;

        for limit in [None, Some(1000), Some(777)] {
            let request = match limit {
                Some(limit) => keys_only().with_limit(NonZeroU32::new(limit).unwrap()),
                None => keys_only(),
            };
            let listed: Vec<Entry> = backend.scan(request).try_collect().await.unwrap();
            assert_eq!(listed.len(), KEYS as usize);
            for (entry, number) in listed.iter().zip(0..) {
                assert_eq!(entry.key, key(number));
                assert!(entry.value.is_empty());
            }
        }

        let limit = NonZeroU32::new(500).unwrap();
        let with_hints = time_pages(&backend, keys_only().with_limit(limit), |cursor| cursor).await;
        let without =
            time_pages(&backend, keys_only().with_limit(limit), |cursor| Cursor::at(cursor.key)).await;
        println!("200 pages: {with_hints:?} with hints, {without:?} without");
        assert!(with_hints < without, "{with_hints:?} with hints, {without:?} without");
    })
    .await;
}

/// How long it takes to list everything when the cursor is passed on like this.
async fn time_pages(
    backend: &EtcdBackend,
    mut request: RangeRequest,
    pass_on: impl Fn(Cursor) -> Cursor,
) -> Duration {
    let begin = Instant::now();
    let mut listed = 0;
    loop {
        let page = backend.range(request.clone()).await.unwrap();
        listed += page.entries.len();
        let Some(next) = page.next else { break };
        request = request.with_cursor(pass_on(next)).with_revision(page.revision);
        request = request.with_consistency(Consistency::Serializable);
    }
    assert_eq!(listed, KEYS as usize);
    begin.elapsed()
}
