//! Locks as an operator sees them.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use futures::TryStreamExt;

use super::name::LockName;
use super::state::FencingToken;
use crate::error::{Error, ErrorKind, Result};
use crate::identity::Identity;
use crate::kv::{BackendErrorKind, Entry, KeyRange, KvBackend, KvBackendExt, LeaseId, Op, RangeRequest, Txn};
use crate::observe::operation;
use crate::retry::Backoff;
use crate::storage::{Check, Storage, Write, Written};

/// Who holds a lock or waits for it, as [`Storage::locks`] shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockEntry {
    /// The name of the lock.
    pub name: String,
    /// How many are before this one in the queue: with 0 it holds the lock.
    pub position: usize,
    /// The token that it has, or will have when its turn comes.
    pub token: FencingToken,
    /// The session, as it is named in the store's keys.
    pub session: String,
    /// The label that was given to the lock, if any.
    pub label: Option<String>,
    /// The name of the machine; `None` if the record cannot be read.
    pub host: Option<String>,
    /// The number of the process; `None` if the record cannot be read.
    pub pid: Option<u32>,
    /// Since when it has held the lock or waited for it, by its own clock; `None` if the record cannot be read.
    pub since: Option<SystemTime>,
    /// How long its session's lease still runs unless it is renewed; zero when it has just ended. `None` for a key
    /// without a lease, which somebody else must have put: it stays until it is deleted.
    pub remaining: Option<Duration>,
}

impl LockEntry {
    /// Whether it holds the lock, and does not only wait for it.
    pub fn is_holder(&self) -> bool {
        self.position == 0
    }

    fn of(name: &LockName, session: String, entry: &Entry) -> Self {
        let identity = Identity::decode(&entry.value);
        Self {
            name: name.as_str().to_owned(),
            position: 0,
            token: FencingToken(entry.create_revision.0),
            session,
            label: identity.as_ref().and_then(|identity| identity.label.clone()),
            host: identity.as_ref().map(|identity| identity.host.clone()),
            pid: identity.as_ref().map(|identity| identity.pid),
            since: identity.map(|identity| identity.since),
            remaining: None,
        }
    }
}

impl<B: KvBackend> Storage<B> {
    /// Lists who holds locks and who waits for them, in every process: by name, and by position in the queue. A task that
    /// waits behind another of its own process is not seen.
    ///
    /// A listing of their keys, and one round trip for each session.
    ///
    /// # Errors
    ///
    /// Those of every operation.
    pub async fn locks(&self) -> Result<Vec<LockEntry>> {
        let listed = async {
            let entries = self.places(self.layout().locks()).await?;
            let mut asked: HashMap<Option<LeaseId>, Option<Duration>> = HashMap::new();
            let mut locks = Vec::with_capacity(entries.len());
            for (mut lock, entry) in entries {
                lock.remaining = match asked.get(&entry.lease) {
                    Some(remaining) => *remaining,
                    None => self.remaining(entry.lease).await?,
                };
                asked.insert(entry.lease, lock.remaining);
                locks.push(lock);
            }
            Ok(locks)
        };
        operation("locks", None, listed).await
    }

    /// Takes a lock from its holder, whoever that is: for operators, when the holder is known to be dead or stuck and
    /// waiting for the end of its lease is not an option. Answers who held it, or `None` if nobody did. The next in the
    /// queue has it then.
    ///
    /// The holder's guard is told soon, and its fenced writes fail from that moment on. Whatever else it is doing goes on:
    /// this is why it is not for programs.
    ///
    /// # Errors
    ///
    /// Those of every write.
    pub async fn break_lock(&self, name: &str) -> Result<Option<LockEntry>> {
        let broken = async {
            let lock = LockName::parse(name)?;
            let limit = self.client().request_timeout;
            let late = |_| Error::new(ErrorKind::OutcomeUnknown).with_detail(format!("after {limit:?}"));
            tokio::time::timeout(limit, self.break_place(&lock)).await.map_err(late)?
        };
        operation("break_lock", name, broken).await
    }

    /// Deletes the first place of a queue. It is asked for again if the answer is lost: no place is used twice.
    async fn break_place(&self, lock: &LockName) -> Result<Option<LockEntry>> {
        let mut tried: Option<LockEntry> = None;
        let mut backoff = Backoff::new(self.surroundings());
        loop {
            let places = self.places(self.layout().queue(lock)).await?;
            let Some((mut holder, place)) = places.into_iter().next() else { return Ok(tried) };
            if tried.as_ref().is_some_and(|tried| tried.token != holder.token) {
                return Ok(tried);
            }
            holder.remaining = self.remaining(place.lease).await?;
            let session = self.layout().session(&holder.session);
            let session = self.backend().get(session).await.map_err(Error::of_read)?;
            let checks = vec![Check::Held(place.key.clone())];
            let mut ops = vec![Op::Delete(place.key.clone())];
            // Putting its own key makes a session look after its locks.
            if let Some(Entry { key, value, lease, .. }) = session {
                ops.push(Op::Put { key, value, lease });
            }
            match self.attempt(&Write { checks, ops, ..Write::default() }).await {
                Ok(Written::Done(..)) => return Ok(Some(holder)),
                // Released in between: who holds it now?
                Ok(Written::Refused(..)) => {}
                Err(error) if error.is_backend(BackendErrorKind::LeaseNotFound) => {}
                // A full store can still delete. The session finds out when it next renews.
                Err(error) if error.is_backend(BackendErrorKind::NoSpace) => {
                    let deleted = self.backend().txn(Txn::new().then(Op::Delete(place.key))).await;
                    deleted.map_err(Error::of_write)?;
                    return Ok(Some(holder));
                }
                Err(error) if error.is_outcome_unknown() && error.is_retryable() => {
                    tried = Some(holder);
                    backoff.pause().await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The places in a range of queues with their positions, by name and position.
    async fn places(&self, range: KeyRange) -> Result<Vec<(LockEntry, Entry)>> {
        let entries: Vec<Entry> =
            self.backend().scan(RangeRequest::new(range)).try_collect().await.map_err(Error::of_read)?;
        let mut places: Vec<_> = entries
            .into_iter()
            .filter_map(|entry| {
                let (name, session) = self.layout().of_place(&entry.key)?;
                Some((LockEntry::of(&name, session, &entry), entry))
            })
            .collect();
        places.sort_by(|(one, _), (other, _)| (&one.name, one.token).cmp(&(&other.name, other.token)));
        let mut ahead: Option<(String, usize)> = None;
        for (place, _) in &mut places {
            place.position = match ahead {
                Some((name, position)) if name == place.name => position + 1,
                _ => 0,
            };
            ahead = Some((place.name.clone(), place.position));
        }
        Ok(places)
    }

    async fn remaining(&self, lease: Option<LeaseId>) -> Result<Option<Duration>> {
        let Some(lease) = lease else { return Ok(None) };
        match self.backend().time_to_live(lease).await {
            Ok(left) => Ok(Some(left)),
            Err(error) if error.kind() == BackendErrorKind::LeaseNotFound => Ok(Some(Duration::ZERO)),
            Err(error) => Err(Error::of_read(error)),
        }
    }
}
