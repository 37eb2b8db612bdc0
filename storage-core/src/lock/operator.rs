//! Locks as an operator sees them.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use futures::TryStreamExt;

use super::gate::left_of;
use super::name::LockName;
use super::state::FencingToken;
use crate::error::{Error, ErrorKind, Result};
use crate::identity::Identity;
use crate::kv::{
    BackendErrorKind, Compare, Entry, Key, KeyRange, KvBackend, KvBackendExt, LeaseId, Op, RangeRequest, Txn,
    TxnOutcome,
};
use crate::layout::go::LockRecord;
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
    /// The session, as it is named in the store's keys; [`CADDY_ETCD`](Self::CADDY_ETCD) for a member that runs the Go
    /// module and has none.
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
    /// What stands in place of the session of a member that runs the Go module caddy-etcd. Such a member only ever holds a
    /// lock, and is shown until the lock timeout has passed since it took it: it does not tell that it has released it.
    pub const CADDY_ETCD: &str = "caddy-etcd";

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

    /// A member that runs the Go module.
    fn of_go(name: &LockName, record: &LockRecord, entry: &Entry, left: Duration) -> Self {
        Self {
            name: name.as_str().to_owned(),
            position: 0,
            token: FencingToken(entry.create_revision.0),
            session: Self::CADDY_ETCD.to_owned(),
            label: None,
            host: None,
            pid: None,
            since: Some(record.obtained),
            remaining: Some(left),
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
            let entries = self.places(self.keyspace().locks(), self.keyspace().go_locks()).await?;
            let mut asked: HashMap<Option<LeaseId>, Option<Duration>> = HashMap::new();
            let mut locks = Vec::with_capacity(entries.len());
            for (mut lock, entry) in entries {
                if lock.remaining.is_some() {
                    locks.push(lock);
                    continue;
                }
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
            let lock = self.lock_name(name)?;
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
            let gate = self.keyspace().go_lock(lock);
            let places = self.places(self.keyspace().queue(lock), gate.clone().map(KeyRange::single)).await?;
            let Some((mut holder, place)) = places.into_iter().next() else { return Ok(tried) };
            if tried.as_ref().is_some_and(|tried| tried.token != holder.token) {
                return Ok(tried);
            }
            if gate.as_ref() == Some(&place.key) {
                match self.break_gate(&place).await {
                    Ok(true) => return Ok(Some(holder)),
                    Ok(false) => {}
                    Err(error) if error.is_outcome_unknown() && error.is_retryable() => {
                        tried = Some(holder);
                        backoff.pause().await;
                    }
                    Err(error) => return Err(error),
                }
                continue;
            }
            holder.remaining = self.remaining(place.lease).await?;
            let session = self.keyspace().session(&holder.session);
            let session = self.backend().get(session).await.map_err(Error::of_read)?;
            let mut checks = vec![Check::Held(place.key.clone())];
            let mut ops = vec![Op::Delete(place.key.clone())];
            // Putting its own key makes a session look after its locks.
            if let Some(Entry { key, value, lease, .. }) = session {
                ops.push(Op::Put { key, value, lease });
            }
            // What it has beside its place goes with it: nobody else can have put that while the place was there.
            let own_gate = self.gate_of(gate.as_ref(), &place).await?;
            if let Some(gate) = &own_gate {
                checks.push(Check::Gate(gate.key.clone(), gate.mod_revision));
                ops.push(Op::Delete(gate.key.clone()));
            }
            match self.attempt(&Write { checks, ops, ..Write::default() }).await {
                Ok(Written::Done(..)) => return Ok(Some(holder)),
                // Released in between: who holds it now?
                Ok(Written::Refused(..)) => {}
                Err(error) if error.is_backend(BackendErrorKind::LeaseNotFound) => {}
                // A full store can still delete. The session finds out when it next renews.
                Err(error) if error.is_backend(BackendErrorKind::NoSpace) => {
                    let mut txn = Txn::new().then(Op::Delete(place.key));
                    if let Some(Entry { key, mod_revision, .. }) = own_gate {
                        txn = txn.when(Compare::ModRevision(key.clone(), mod_revision)).then(Op::Delete(key));
                    }
                    match self.backend().txn(txn).await.map_err(Error::of_write)?.outcome {
                        TxnOutcome::Matched(_) => return Ok(Some(holder)),
                        // The holder has just renewed it.
                        TxnOutcome::NotMatched(_) => {}
                    }
                }
                Err(error) if error.is_outcome_unknown() && error.is_retryable() => {
                    tried = Some(holder);
                    backoff.pause().await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes a lock from a member that runs the Go module; whether it still had it.
    async fn break_gate(&self, gate: &Entry) -> Result<bool> {
        let checks = vec![Check::Gate(gate.key.clone(), gate.mod_revision)];
        let ops = vec![Op::Delete(gate.key.clone())];
        let written = self.attempt(&Write { checks, ops, ..Write::default() }).await?;
        Ok(matches!(written, Written::Done(..)))
    }

    /// The key that the holder of this place has put for members that do not know the queue.
    async fn gate_of(&self, gate: Option<&Key>, place: &Entry) -> Result<Option<Entry>> {
        let Some(gate) = gate else { return Ok(None) };
        let found = self.backend().get(gate.clone()).await.map_err(Error::of_read)?;
        Ok(found.filter(|found| found.lease.is_some() && found.lease == place.lease))
    }

    /// The places in a range of queues with their positions, by name and position; and who holds a lock with a key of the
    /// Go module in the other range.
    async fn places(&self, range: KeyRange, go: Option<KeyRange>) -> Result<Vec<(LockEntry, Entry)>> {
        let entries = self.scan_all(range).await?;
        let mut places: Vec<_> = entries
            .into_iter()
            .filter_map(|entry| {
                let (name, session) = self.keyspace().of_place(&entry.key)?;
                Some((LockEntry::of(&name, session, &entry), entry))
            })
            .collect();
        if let Some(go) = go {
            let held = self.scan_all(go).await?;
            let of_members =
                held.into_iter().filter_map(|entry| self.go_holder(entry, &places)).collect::<Vec<_>>();
            places.extend(of_members);
        }
        let order = |(lock, _): &(LockEntry, Entry)| {
            (lock.name.clone(), lock.session != LockEntry::CADDY_ETCD, lock.token)
        };
        places.sort_by_key(order);
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

    /// The member that holds a lock with this key, unless it is one that has a place in the queue.
    fn go_holder(&self, entry: Entry, places: &[(LockEntry, Entry)]) -> Option<(LockEntry, Entry)> {
        let name = self.keyspace().of_go_lock(&entry.key)?;
        let record = LockRecord::decode(&entry.value)?;
        let left = left_of(&record, self.client().lock_timeout, self.surroundings());
        let is_ours = entry.lease.is_some()
            && places.iter().any(|(lock, place)| lock.name == name.as_str() && place.lease == entry.lease);
        (!is_ours && !left.is_zero()).then(|| (LockEntry::of_go(&name, &record, &entry, left), entry))
    }

    async fn scan_all(&self, range: KeyRange) -> Result<Vec<Entry>> {
        self.backend().scan(RangeRequest::new(range)).try_collect().await.map_err(Error::of_read)
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
