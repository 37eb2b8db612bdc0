use tokio::time::{Instant, timeout_at};

use super::Storage;
use super::check::Check;
use super::outcome::{Fate, Trace};
use crate::error::{Error, ErrorKind, Result};
use crate::kv::{BackendErrorKind, Get, GetReply, KvBackend, Op, OpReply, Revision, Txn, TxnOutcome};
use crate::layout::mixed;
use crate::observe;
use crate::retry::Backoff;

/// So often a write is sent again because what stood in its way was gone when it was looked for.
const MOST_REFUSALS: u32 = 16;

/// A write transaction in the words of the tree.
#[derive(Debug, Default)]
pub(crate) struct Write {
    /// What must hold.
    pub(crate) checks: Vec<Check>,
    /// What is done if it holds.
    pub(crate) ops: Vec<Op>,
    /// What is read if it does not, beside what tells which check failed.
    pub(crate) otherwise: Vec<Get>,
    /// How it can be told later whether it was applied.
    pub(crate) trace: Trace,
}

/// How a write transaction ended.
#[derive(Debug)]
pub(crate) enum Written {
    /// Everything was done, at this revision. If the answer was lost and found out afterwards, the replies are only the
    /// number of what was deleted.
    Done(Revision, Vec<OpReply>),
    /// A check did not hold: its error, and what was read instead.
    Refused(Error, Vec<GetReply>),
}

/// What is known of a write while it goes on.
#[derive(Debug, Default)]
struct Progress {
    /// Whether it may have been applied, or yet be.
    is_open: bool,
    /// The revision of the format key that the last attempt has compared, if there was the key.
    compared: Option<Revision>,
    /// The store has no room for the record of a deletion.
    is_full: bool,
}

impl<B: KvBackend> Storage<B> {
    /// Runs a write, once, until it is certain how it ended. An attempt whose answer is lost is fenced off and looked
    /// for; if it was not applied the write is sent again.
    ///
    /// # Errors
    ///
    /// `OutcomeUnknown` when it is not certain in time, or the store keeps too little of its history.
    pub(crate) async fn write(&self, write: Write) -> Result<Written> {
        self.write_by(self.deadline(), write).await
    }

    /// When an operation that begins now has to end.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.client().request_timeout
    }

    /// As [`write`](Self::write), for an operation that began before.
    pub(super) async fn write_by(&self, deadline: Instant, write: Write) -> Result<Written> {
        let mut progress = Progress::default();
        let written = timeout_at(deadline, self.write_until_certain(&write, &mut progress)).await;
        written.unwrap_or_else(|_| {
            let kind = if progress.is_open { ErrorKind::OutcomeUnknown } else { ErrorKind::Timeout };
            Err(Error::new(kind).with_detail(format!("after {:?}", self.client().request_timeout)))
        })
    }

    async fn write_until_certain(&self, write: &Write, progress: &mut Progress) -> Result<Written> {
        let mut since = self.known_revision().await?;
        let mut backoff = Backoff::new(self.surroundings());
        loop {
            let lost = match self.attempt_with(write, progress).await {
                Err(error) if error.is_outcome_unknown() => error,
                other => return other,
            };
            let is_full = lost.is_backend(BackendErrorKind::NoSpace);
            if progress.is_full {
                // It was sent without a trace.
                let changed_nothing = is_full && Box::pin(self.is_untouched(&write.trace, since)).await;
                return Err(if changed_nothing { lost.that_changed_nothing() } else { lost });
            }
            if matches!(write.trace, Trace::None) {
                return Err(lost);
            }
            observe::answer_lost(&lost);
            // What a full store has answered is not on its way any more.
            let compared = progress.compared.filter(|_| !is_full);
            let fate = loop {
                // On the heap: it is rare, and every write would carry the room for it.
                match Box::pin(self.fate(&write.trace, compared, since)).await {
                    Ok(fate) => break fate,
                    Err(error) if error.is_retryable() => backoff.pause().await,
                    Err(error) => return Err(Error::new(ErrorKind::OutcomeUnknown).with_source(error)),
                }
            };
            observe::answer_found(matches!(fate, Fate::Applied { .. }));
            match fate {
                Fate::Applied { at, deleted } => {
                    return Ok(Written::Done(at, vec![OpReply::Deleted(deleted)]));
                }
                Fate::NotApplied { until } => since = until,
            }
            progress.is_open = false;
            match write.trace {
                Trace::Deletion { .. } if is_full => progress.is_full = true,
                _ if is_full => return Err(lost.that_changed_nothing()),
                _ => backoff.pause().await,
            }
        }
    }

    /// Sends a write once, or again if the format key turns out to be another one than this handle knew.
    ///
    /// # Errors
    ///
    /// `OutcomeUnknown` when the answer is lost.
    pub(crate) async fn attempt(&self, write: &Write) -> Result<Written> {
        self.attempt_with(write, &mut Progress::default()).await
    }

    async fn attempt_with(&self, write: &Write, progress: &mut Progress) -> Result<Written> {
        let puts = write.ops.iter().any(|op| matches!(op, Op::Put { .. }));
        let mut refusals = 0;
        loop {
            let mut txn = self.transaction(write, progress);
            self.check_size(&txn)?;
            if (puts || self.keyspace().is_shared()) && self.known_format().is_none() {
                match Box::pin(self.ensure_format()).await {
                    // Deleting needs no room. Without a format the deletion leaves no record either.
                    Err(error) if !puts && error.is_backend(BackendErrorKind::NoSpace) => {
                        progress.is_full = true;
                    }
                    ensured => ensured?,
                }
                txn = self.transaction(write, progress);
            }
            let guards = txn.compares.len().saturating_sub(write.checks.len());
            progress.is_open = true;
            let answer = self.backend().txn(txn).await.map_err(Error::of_write);
            progress.is_open = answer.as_ref().is_err_and(Error::is_outcome_unknown);
            let reply = answer?;
            self.note(reply.revision);
            let mut found = match reply.outcome {
                TxnOutcome::Matched(replies) => return Ok(Written::Done(reply.revision, replies)),
                TxnOutcome::NotMatched(found) => found.into_iter(),
            };
            let format = found.next().unwrap_or_default();
            if self.format_moved(format.entries.first(), progress.compared)? {
                continue;
            }
            if guards > 1 && found.next().is_some_and(|other| !other.entries.is_empty()) {
                return Err(mixed(self.layout()));
            }
            let mut found: Vec<GetReply> = found.collect();
            let read: Vec<_> = write.checks.iter().filter(|check| !check.is_of_place()).collect();
            let rest = found.split_off(read.len().min(found.len()));
            let violation =
                read.iter().zip(&found).find_map(|(check, found)| check.violation(found.entries.first()));
            let error = match violation {
                Some(error) if error.kind() != ErrorKind::NotFound => Some(error),
                // Where no file is there may be a directory.
                other => self.obstacle(&write.checks).await?.or(other),
            };
            if let Some(error) = error {
                return Ok(Written::Refused(error, rest));
            }
            // What stood in the way is gone, if anything did that was not read in the transaction.
            refusals += 1;
            if refusals == MOST_REFUSALS || read.len() == write.checks.len() {
                return Err(Error::new(ErrorKind::Internal)
                    .with_detail("the store refuses a write although all checks hold"));
            }
        }
    }

    /// What stands where a file is to lie. Asks until there is an answer: nothing was changed, and the error should say why.
    async fn obstacle(&self, checks: &[Check]) -> Result<Option<Error>> {
        let mut backoff = Backoff::new(self.surroundings());
        loop {
            match self.obstacle_now(checks).await {
                Err(error) if error.is_retryable() => backoff.pause().await,
                result => return result,
            }
        }
    }

    async fn obstacle_now(&self, checks: &[Check]) -> Result<Option<Error>> {
        let checks: Vec<_> = checks.iter().filter(|check| check.is_of_place()).collect();
        for checks in checks.chunks(self.backend().limits().max_txn_ops.max(1)) {
            let reads = checks.iter().map(|check| Op::Get(check.read(self.keyspace())));
            let found = self.read_all(reads.fold(Txn::new(), Txn::then)).await?;
            let violation =
                checks.iter().zip(&found).find_map(|(check, found)| check.violation(found.first()));
            if violation.is_some() {
                return Ok(violation);
            }
        }
        Ok(None)
    }

    /// As [`write`](Self::write), for writes that have nothing else to do when they are refused.
    pub(crate) async fn write_or_refuse(&self, write: Write) -> Result<(Revision, Vec<OpReply>)> {
        match self.write(write).await? {
            Written::Done(revision, replies) => Ok((revision, replies)),
            Written::Refused(error, _) => Err(error),
        }
    }

    fn transaction(&self, write: &Write, progress: &mut Progress) -> Txn {
        progress.compared = self.known_format();
        let mut txn = Txn::new();
        for (compare, get) in self.format_guards(progress.compared) {
            txn = txn.when(compare).otherwise(get);
        }
        txn.compares.extend(write.checks.iter().map(|check| check.compare(self.keyspace())));
        let read = write.checks.iter().filter(|check| !check.is_of_place());
        txn.failure.extend(read.map(|check| check.read(self.keyspace())));
        txn.success.extend(write.ops.iter().cloned());
        // A tree without a format has nothing to delete, and does not get one for that.
        if let Trace::Deletion { write, .. } = &write.trace
            && progress.compared.is_some()
            && !progress.is_full
        {
            txn = txn.then(self.keyspace().record_deletion(*write));
        }
        txn.failure.extend(write.otherwise.iter().cloned());
        txn
    }

    /// Refuses what the store would refuse, with its limit in the error.
    pub(super) fn check_size(&self, txn: &Txn) -> Result<()> {
        let refused = txn.check(&self.backend().limits());
        refused.map_err(|error| {
            let mut detail = error.message().to_owned();
            let limits = self.backend().limits();
            if let Some(limit) = self.keyspace().content_limit(limits.max_value_bytes) {
                let note = format!("; base64 takes 4 bytes for 3, so a content has at most {limit}");
                detail.push_str(&note);
            }
            Error::of_write(error).with_detail(detail)
        })
    }
}
