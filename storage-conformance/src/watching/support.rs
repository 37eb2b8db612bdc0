//! What the cases of watching share.

use std::fmt::Write;

use futures::StreamExt;
use storage_core::kv::Revision;
use storage_core::{ChangeKind, ChangeStream, Metadata, WatchEvent};

use crate::Context;

/// The next event of a stream that must go on.
pub(super) async fn next(changes: &mut ChangeStream) -> WatchEvent {
    let item = tokio::time::timeout(Context::PATIENCE, changes.next()).await;
    item.expect("an event should come").expect("the stream should go on").unwrap()
}

/// The next events, which must be changes, each as `+path`, `~path` or `-path` and its version.
pub(super) async fn changes(stream: &mut ChangeStream, count: usize) -> Vec<(String, Revision)> {
    let mut seen = Vec::new();
    for _ in 0..count {
        let event = next(stream).await;
        let WatchEvent::Change { kind, path, version, .. } = event else {
            panic!("a change should come, after {seen:?}: {event:?}")
        };
        let mut text = String::new();
        write!(text, "{}{path}", sign(kind)).unwrap();
        seen.push((text, version.revision()));
    }
    seen
}

/// The next events, which must be exactly these.
pub(super) async fn expect(stream: &mut ChangeStream, expected: &[(&str, Revision)]) {
    let seen = changes(stream, expected.len()).await;
    let seen: Vec<_> = seen.iter().map(|(text, revision)| (text.as_str(), *revision)).collect();
    assert_eq!(seen, expected);
}

/// The next event, which must be a resync: up to where.
pub(super) async fn expect_resync(stream: &mut ChangeStream) -> Revision {
    match next(stream).await {
        WatchEvent::Resync { revision, .. } => revision,
        event => panic!("a resync should come: {event:?}"),
    }
}

pub(super) fn revision(metadata: &Metadata) -> Revision {
    metadata.version.revision()
}

fn sign(kind: ChangeKind) -> char {
    match kind {
        ChangeKind::Created => '+',
        ChangeKind::Modified => '~',
        ChangeKind::Deleted => '-',
    }
}
