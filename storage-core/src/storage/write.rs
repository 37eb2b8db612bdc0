use super::Storage;
use super::check::Check;
use super::format::FormatKnown;
use crate::error::{Error, ErrorKind, Result};
use crate::kv::{Get, GetReply, KvBackend, Op, OpReply, Revision, Txn, TxnOutcome};

/// A write transaction in the words of the tree.
#[derive(Debug, Default)]
pub(crate) struct Write {
    /// What must hold.
    pub(crate) checks: Vec<Check>,
    /// What is done if it holds.
    pub(crate) ops: Vec<Op>,
    /// What is read if it does not, beside what tells which check failed.
    pub(crate) otherwise: Vec<Get>,
}

/// How a write transaction ended.
#[derive(Debug)]
pub(crate) enum Written {
    /// Everything was done, at this revision.
    Done(Revision, Vec<OpReply>),
    /// A check did not hold: its error, and what was read instead.
    Refused(Error, Vec<GetReply>),
}

impl<B: KvBackend> Storage<B> {
    /// Runs a write under the guard of the tree's format: again if the format key turns out to be another one than
    /// this handle knew.
    pub(crate) async fn write(&self, write: Write) -> Result<Written> {
        let puts = write.ops.iter().any(|op| matches!(op, Op::Put { .. }));
        loop {
            let mut txn = self.transaction(&write);
            self.check_size(&txn)?;
            if puts && self.ensure_format().await? == FormatKnown::JustNow {
                txn = self.transaction(&write);
            }
            let reply = self.shared.backend.txn(txn).await.map_err(Error::of_write)?;
            let mut found = match reply.outcome {
                TxnOutcome::Matched(replies) => return Ok(Written::Done(reply.revision, replies)),
                TxnOutcome::NotMatched(found) => found.into_iter(),
            };
            let format = found.next().unwrap_or_default();
            if self.format_moved(format.entries.first())? {
                continue;
            }
            let mut found: Vec<GetReply> = found.collect();
            let rest = found.split_off(write.checks.len().min(found.len()));
            let violation = write.checks.iter().zip(&found).find_map(|(check, found)| check.violation(found));
            let error = violation.unwrap_or_else(|| {
                Error::new(ErrorKind::Internal)
                    .with_detail("the store refused a write although all checks hold")
            });
            return Ok(Written::Refused(error, rest));
        }
    }

    /// As [`write`](Self::write), for writes that have nothing else to do when they are refused.
    pub(crate) async fn write_or_refuse(&self, write: Write) -> Result<(Revision, Vec<OpReply>)> {
        match self.write(write).await? {
            Written::Done(revision, replies) => Ok((revision, replies)),
            Written::Refused(error, _) => Err(error),
        }
    }

    fn transaction(&self, write: &Write) -> Txn {
        let (compare, get) = self.format_guard();
        let mut txn = Txn::new().when(compare).otherwise(get);
        for check in &write.checks {
            txn = txn.when(check.compare(self.layout())).otherwise(check.get(self.layout()));
        }
        txn.success.extend(write.ops.iter().cloned());
        txn.failure.extend(write.otherwise.iter().cloned());
        txn
    }

    /// Refuses what the store would refuse, with its limit in the error.
    pub(super) fn check_size(&self, txn: &Txn) -> Result<()> {
        let refused = txn.check(&self.shared.backend.limits());
        refused.map_err(|error| {
            let detail = error.message().to_owned();
            Error::of_write(error).with_detail(detail)
        })
    }
}
