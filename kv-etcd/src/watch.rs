//! Watches.
//!
//! etcd never spreads the events of one revision over two messages unless it is asked to fragment them: events of the
//! past are sent in batches of a thousand *revisions*, those of the present one transaction at a time. So every message
//! can be cut into whole revisions at once.
//!
//! The client library panics on an event that is neither a put nor a deletion. etcd has had no other since v3.0.

use std::collections::VecDeque;

use bytes::Bytes;
use etcd_client::{Event as EtcdEvent, EventType, WatchOptions, WatchResponse, WatchStream as EtcdStream};
use futures::stream::{self, StreamExt};
use storage_core::kv::{
    BackendError, BackendErrorKind, Entry, Event, Key, KeyRange, LeaseId, Revision, WatchBatch, WatchStream,
};

use tokio_util::sync::CancellationToken;

use crate::bounds::{Bounds, number, revision};
use crate::cluster::{Attempt, Call, Witness, probe};
use crate::error::{from_cancel_reason, from_client};
use crate::observe;

/// Opens a watch, and returns when the server has confirmed it.
///
/// Dropping the stream resets the call, on which the server forgets the watch.
pub(crate) async fn open(
    call: &Call<'_>,
    range: KeyRange,
    after: Revision,
) -> Result<WatchStream, BackendError> {
    // A watch says nothing about the member that it is on: whether that has a leader, and our data.
    call.ready().await?;
    let watch = call.read(|attempt| Watch::open(attempt, call.probe_key(), range.clone(), after)).await?;
    let batches = stream::try_unfold(watch, |mut watch| async move {
        let batch = watch.next().await?;
        Ok(Some((batch, watch)))
    });
    Ok(batches.boxed())
}

struct Watch {
    stream: EtcdStream,
    witness: Witness,
    /// Set when the member is silent.
    ended: CancellationToken,
    range: KeyRange,
    /// Everything up to here has been delivered, or is ready.
    position: Revision,
    /// Received, but not delivered yet.
    ready: VecDeque<WatchBatch>,
}

impl Watch {
    async fn open(
        attempt: Attempt,
        probe_key: &Key,
        range: KeyRange,
        after: Revision,
    ) -> Result<Self, BackendError> {
        let Attempt { handles, witness, ended } = attempt.clone();
        witness.check_watchable(after)?;
        let Bounds { key, end } = Bounds::of(&range);
        // etcd refuses to watch an empty range. A watch on its first key shows nothing either: see `Watch::take`.
        let end = if range.is_empty() { Vec::new() } else { end };
        let start = number(after).saturating_add(1);
        let options = WatchOptions::new().with_range(end).with_start_revision(start).with_progress_notify();
        let stream = handles.watch.clone().watch(key, Some(options)).await.map_err(from_client)?;
        let mut watch = Self { stream, witness, ended, range, position: after, ready: VecDeque::new() };
        if watch.confirm().await? < after {
            // The member lags behind, or the store has gone back, and would keep us waiting in silence. A read tells.
            let witness = attempt.witness.clone();
            probe::ask(attempt, probe_key).await?;
            witness.check_watchable(after)?;
        }
        Ok(watch)
    }

    /// Waits until the server says that the watch exists, and how far it is itself.
    async fn confirm(&mut self) -> Result<Revision, BackendError> {
        loop {
            let message = self.receive().await?;
            let is_created = message.created();
            self.take(&message);
            if is_created {
                return Ok(message.header().map_or(Revision::ZERO, |header| revision(header.revision())));
            }
        }
    }

    async fn next(&mut self) -> Result<WatchBatch, BackendError> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Ok(batch);
            }
            let message = self.receive().await?;
            self.take(&message);
        }
    }

    async fn receive(&mut self) -> Result<WatchResponse, BackendError> {
        let message = tokio::select! {
            biased;
            message = self.stream.message() => message.map_err(from_client)?,
            () = self.ended.cancelled() => {
                observe::watch_ended(self.witness.endpoint());
                return Err(unavailable("the server of the watch is silent or has left"));
            }
        };
        let message = message.ok_or_else(|| unavailable("the server closed the watch"))?;
        self.witness.check_cluster(message.header())?;
        if message.compact_revision() != 0 {
            let compacted = revision(message.compact_revision());
            let text = format!("watched after {}, compacted up to {compacted}", self.position);
            return Err(BackendError::new(BackendErrorKind::Compacted, text));
        }
        if message.canceled() {
            return Err(from_cancel_reason(message.cancel_reason()));
        }
        Ok(message)
    }

    /// Makes batches of a message: one for each revision, or an empty one if it only says how far the server has come.
    fn take(&mut self, message: &WatchResponse) {
        let events = message.events();
        for of_revision in events.chunk_by(|a, b| mod_revision(a) == mod_revision(b)) {
            self.position = mod_revision(&of_revision[0]);
            self.witness.saw(self.position);
            // Servers before 3.5.33 can send events of keys that were not asked for.
            let events =
                of_revision.iter().filter_map(event).filter(|event| self.range.contains(event.key()));
            let batch = WatchBatch { revision: self.position, events: events.collect() };
            self.ready.push_back(batch);
        }
        // A watch that was just created has not caught up: its header says how far the store is, not how far it is.
        if events.is_empty() && !message.created() {
            let reached = message.header().map_or(Revision::ZERO, |header| revision(header.revision()));
            if reached > self.position {
                self.position = reached;
                self.ready.push_back(WatchBatch { revision: reached, events: Vec::new() });
            }
        }
    }
}

fn mod_revision(event: &EtcdEvent) -> Revision {
    event.kv().map_or(Revision::ZERO, |kv| revision(kv.mod_revision()))
}

fn event(event: &EtcdEvent) -> Option<Event> {
    let kv = event.kv()?;
    let key = Key::new(kv.key().to_vec());
    let mod_revision = revision(kv.mod_revision());
    Some(match event.event_type() {
        EventType::Put => Event::Put(Entry {
            key,
            value: Bytes::copy_from_slice(kv.value()),
            create_revision: revision(kv.create_revision()),
            mod_revision,
            lease: LeaseId::new(kv.lease()),
        }),
        EventType::Delete => Event::Delete { key, revision: mod_revision },
    })
}

fn unavailable(message: &str) -> BackendError {
    BackendError::new(BackendErrorKind::Unavailable, message)
}
