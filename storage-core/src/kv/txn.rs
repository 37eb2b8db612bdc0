use std::num::NonZeroU32;

use bytes::Bytes;

use super::{Entry, Key, KeyRange, LeaseId, Projection, Revision};

/// A condition on the state in which a transaction runs.
///
/// Every backend handles every kind, so the list is closed: a new one is a change of the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compare {
    /// The key does not exist.
    Absent(Key),
    /// The key exists.
    Present(Key),
    /// The key exists and was last put at this revision.
    ModRevision(Key, Revision),
    /// No key lies in the range.
    RangeEmpty(KeyRange),
}

/// A step of a transaction. Every backend handles every kind, as with [`Compare`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Puts a value, and attaches the key to the lease or, with `None`, to none.
    Put {
        /// The key.
        key: Key,
        /// Its new value.
        value: Bytes,
        /// The lease to attach it to.
        lease: Option<LeaseId>,
    },
    /// Deletes a key, if it is there.
    Delete(Key),
    /// Deletes every key of a range.
    DeleteRange(KeyRange),
    /// Reads, in the state that the operations before it in this transaction have left.
    Get(Get),
}

/// A read inside a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Get {
    /// The range to read.
    pub range: KeyRange,
    /// The most entries to answer, or `None` for all.
    pub limit: Option<NonZeroU32>,
    /// With values, or without.
    pub projection: Projection,
}

impl Get {
    /// Reads a whole range with its values.
    pub fn range(range: KeyRange) -> Self {
        Self { range, limit: None, projection: Projection::default() }
    }

    /// Reads one key with its value.
    pub fn key(key: Key) -> Self {
        Self::range(KeyRange::single(key))
    }

    /// This read with at most so many entries.
    pub fn with_limit(mut self, limit: NonZeroU32) -> Self {
        self.limit = Some(limit);
        self
    }

    /// This read with or without values.
    pub fn with_projection(mut self, projection: Projection) -> Self {
        self.projection = projection;
        self
    }
}

/// A transaction: if all compares hold the operations of `success`, else the reads of `failure`.
///
/// Built with [`Txn::when`], [`Txn::then`] and [`Txn::otherwise`]. No key may be put or deleted twice in it, a deleted
/// range may not cover a key that is put, and no list may be longer than [`Limits`](super::Limits) say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Txn {
    /// What must hold.
    pub compares: Vec<Compare>,
    /// What is done if it holds.
    pub success: Vec<Op>,
    /// What is read if it does not.
    pub failure: Vec<Get>,
}

impl Txn {
    /// What a compare or an operation costs beside its bytes: more than any wire format here needs for it.
    const ITEM_OVERHEAD: usize = 32;
    /// What a request costs beside its items.
    const REQUEST_OVERHEAD: usize = 256;

    /// A transaction that does nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// This transaction with one more compare.
    pub fn when(mut self, compare: Compare) -> Self {
        self.compares.push(compare);
        self
    }

    /// This transaction with one more operation.
    pub fn then(mut self, op: Op) -> Self {
        self.success.push(op);
        self
    }

    /// This transaction with one more read for the case that a compare does not hold.
    pub fn otherwise(mut self, get: Get) -> Self {
        self.failure.push(get);
        self
    }

    /// Its size in bytes as [`Limits::max_request_bytes`](super::Limits) counts it: all keys, range ends and values,
    /// 32 bytes for every compare, operation and read, and 256 for the whole. It is an upper bound of what goes over
    /// the wire, the same for every backend.
    pub fn request_bytes(&self) -> usize {
        let compares = self.compares.iter().map(|compare| match compare {
            Compare::Absent(key) | Compare::Present(key) | Compare::ModRevision(key, _) => {
                key.as_bytes().len()
            }
            Compare::RangeEmpty(range) => range_bytes(range),
        });
        let success = self.success.iter().map(|op| match op {
            Op::Put { key, value, .. } => key.as_bytes().len() + value.len(),
            Op::Delete(key) => key.as_bytes().len(),
            Op::DeleteRange(range) => range_bytes(range),
            Op::Get(get) => range_bytes(&get.range),
        });
        let failure = self.failure.iter().map(|get| range_bytes(&get.range));
        let items = compares.chain(success).chain(failure).map(|bytes| bytes + Self::ITEM_OVERHEAD);
        Self::REQUEST_OVERHEAD + items.sum::<usize>()
    }
}

fn range_bytes(range: &KeyRange) -> usize {
    range.start().as_bytes().len() + range.end().map_or(1, |end| end.as_bytes().len())
}

/// What a transaction answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxnReply {
    /// The revision of its changes, or, if it changed nothing, the store's revision when it ran.
    pub revision: Revision,
    /// Which branch ran, and its answers.
    pub outcome: TxnOutcome,
}

impl TxnReply {
    /// How many keys the transaction deleted.
    pub fn deleted(&self) -> u64 {
        let TxnOutcome::Matched(replies) = &self.outcome else { return 0 };
        replies.iter().map(|reply| if let OpReply::Deleted(count) = reply { *count } else { 0 }).sum()
    }
}

/// Which branch of a transaction ran, with one answer for each step, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TxnOutcome {
    /// All compares held: the answers of `success`.
    Matched(Vec<OpReply>),
    /// A compare did not hold and nothing was changed: the answers of `failure`.
    NotMatched(Vec<GetReply>),
}

/// What a step of a transaction answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpReply {
    /// The value was put.
    Put,
    /// So many keys were deleted.
    Deleted(u64),
    /// What was read.
    Get(GetReply),
}

/// What a read inside a transaction answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GetReply {
    /// The entries, in ascending key order.
    pub entries: Vec<Entry>,
    /// Whether the limit left entries out.
    pub more: bool,
}
