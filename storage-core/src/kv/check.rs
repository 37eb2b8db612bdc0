//! What every backend refuses before anything happens. Backends call it first; what passes is well-formed.

use super::{BackendError, BackendErrorKind, Compare, Key, KeyRange, Limits, Op, Txn};

impl KeyRange {
    /// Refuses a range that no store can read: that of the empty key alone. Any other may begin with it.
    ///
    /// # Errors
    ///
    /// `InvalidRequest`.
    pub fn check(&self) -> Result<(), BackendError> {
        self.as_single().map_or(Ok(()), key)
    }
}

impl Txn {
    /// Refuses a transaction that is malformed or beyond the limits.
    ///
    /// What a transaction writes may not depend on the order of its writes: no key is put twice, put and deleted, or
    /// deleted twice by name, and none that is put lies in a deleted range. Deleted ranges may overlap one another and
    /// cover a key that is deleted by name.
    ///
    /// # Errors
    ///
    /// `TooLarge`, which names the limit in its [message](BackendError::message), and `InvalidRequest`.
    pub fn check(&self, limits: &Limits) -> Result<(), BackendError> {
        for (what, count) in [
            ("compares", self.compares.len()),
            ("operations", self.success.len()),
            ("reads of the other branch", self.failure.len()),
        ] {
            at_most(limits.max_txn_ops, "max_txn_ops", count, what)?;
        }
        for op in &self.success {
            if let Op::Put { value, .. } = op {
                at_most(limits.max_value_bytes, "max_value_bytes", value.len(), "bytes in a value")?;
            }
        }
        at_most(limits.max_request_bytes, "max_request_bytes", self.request_bytes(), "bytes with all keys")?;
        keys(self)?;
        writes(&self.success)
    }
}

fn at_most(limit: usize, name: &str, size: usize, what: &str) -> Result<(), BackendError> {
    if size <= limit {
        return Ok(());
    }
    let message = format!("{size} {what}, the store takes at most {limit} ({name})");
    Err(BackendError::new(BackendErrorKind::TooLarge, message))
}

fn keys(txn: &Txn) -> Result<(), BackendError> {
    for compare in &txn.compares {
        match compare {
            Compare::Absent(of) | Compare::Present(of) | Compare::ModRevision(of, _) => key(of)?,
            Compare::RangeEmpty(of) => of.check()?,
        }
    }
    for op in &txn.success {
        match op {
            Op::Put { key: of, .. } | Op::Delete(of) => key(of)?,
            Op::DeleteRange(of) => of.check()?,
            Op::Get(get) => get.range.check()?,
        }
    }
    txn.failure.iter().try_for_each(|get| get.range.check())
}

fn key(key: &Key) -> Result<(), BackendError> {
    if key.as_bytes().is_empty() { Err(invalid("empty key")) } else { Ok(()) }
}

/// No key is written twice, and none is put that a deleted range covers. Deleted ranges may overlap.
fn writes(ops: &[Op]) -> Result<(), BackendError> {
    let mut written: Vec<&Key> = Vec::with_capacity(ops.len());
    let mut put: Vec<&Key> = Vec::with_capacity(ops.len());
    for op in ops {
        match op {
            Op::Put { key, .. } => {
                written.push(key);
                put.push(key);
            }
            Op::Delete(key) => written.push(key),
            Op::DeleteRange(_) | Op::Get(_) => {}
        }
    }
    written.sort_unstable();
    if let Some((twice, _)) = written.iter().zip(written.iter().skip(1)).find(|(a, b)| a == b) {
        return Err(invalid(format!("two writes of one key in a transaction: {twice:?}")));
    }
    put.sort_unstable();
    for op in ops {
        let Op::DeleteRange(range) = op else { continue };
        // The first key put that is not before the range is the only one to look at.
        let first = put.partition_point(|key| *key < range.start());
        if let Some(covered) = put.get(first).filter(|key| range.contains(key)) {
            return Err(invalid(format!("a put key lies in a deleted range: {covered:?} in {range:?}")));
        }
    }
    Ok(())
}

fn invalid(message: impl Into<String>) -> BackendError {
    BackendError::new(BackendErrorKind::InvalidRequest, message)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::kv::{Get, Revision};

    fn k(text: &'static str) -> Key {
        Key::new(text)
    }

    fn put(text: &'static str) -> Op {
        Op::Put { key: k(text), value: Bytes::new(), lease: None }
    }

    fn delete_prefix(text: &'static str) -> Op {
        Op::DeleteRange(KeyRange::prefix(text))
    }

    fn kind_of(txn: &Txn, limits: &Limits) -> Option<BackendErrorKind> {
        txn.check(limits).err().map(|error| {
            assert!(!error.is_maybe_applied() && !error.is_retryable(), "{error:?}");
            error.kind()
        })
    }

    #[test]
    fn no_key_is_written_twice() {
        let of = |ops: [Op; 2]| {
            let txn = ops.into_iter().fold(Txn::new(), Txn::then);
            kind_of(&txn, &Limits::ETCD_DEFAULTS)
        };
        let refused = Some(BackendErrorKind::InvalidRequest);
        assert_eq!(of([put("a"), put("a")]), refused);
        assert_eq!(of([put("a"), Op::Delete(k("a"))]), refused);
        assert_eq!(of([Op::Delete(k("a")), Op::Delete(k("a"))]), refused);
        assert_eq!(of([put("a/b"), delete_prefix("a/")]), refused);
        assert_eq!(of([delete_prefix("a/"), put("a/")]), refused);
        assert_eq!(of([put("a"), put("b")]), None);
        assert_eq!(of([put("a"), delete_prefix("a/")]), None);
        assert_eq!(of([delete_prefix("a/"), put("a0")]), None);
        assert_eq!(of([delete_prefix("a"), delete_prefix("a/")]), None);
        assert_eq!(of([Op::Delete(k("a/b")), delete_prefix("a/")]), None);
        assert_eq!(of([put("a"), Op::Get(Get::key(k("a")))]), None);
    }

    #[test]
    fn the_empty_key_is_no_key_but_may_begin_a_range() {
        let refused = Some(BackendErrorKind::InvalidRequest);
        let limits = Limits::ETCD_DEFAULTS;
        for txn in [
            Txn::new().then(put("")),
            Txn::new().then(Op::Delete(k(""))),
            Txn::new().then(Op::Get(Get::key(k("")))),
            Txn::new().otherwise(Get::key(k(""))),
            Txn::new().when(Compare::Absent(k(""))),
            Txn::new().when(Compare::Present(k(""))),
            Txn::new().when(Compare::ModRevision(k(""), Revision(1))),
        ] {
            assert_eq!(kind_of(&txn, &limits), refused, "{txn:?}");
        }
        assert_eq!(kind_of(&Txn::new().when(Compare::RangeEmpty(KeyRange::prefix(""))), &limits), None);
        assert_eq!(kind_of(&Txn::new().then(delete_prefix("")), &limits), None);
    }

    #[test]
    fn sizes_at_the_limit_pass_and_one_more_does_not() {
        let limits =
            Limits::ETCD_DEFAULTS.with_max_txn_ops(2).with_max_value_bytes(10).with_max_request_bytes(400);
        let value = |len: usize| {
            Txn::new().then(Op::Put { key: k("key"), value: Bytes::from(vec![0; len]), lease: None })
        };
        let too_large = Some(BackendErrorKind::TooLarge);
        assert_eq!(kind_of(&value(10), &limits), None);
        assert_eq!(kind_of(&value(11), &limits), too_large);

        let compares = |n: usize| (0..n).fold(Txn::new(), |txn, _| txn.when(Compare::Absent(k("a"))));
        let reads = |n: usize| (0..n).fold(Txn::new(), |txn, _| txn.then(Op::Get(Get::key(k("a")))));
        let others = |n: usize| (0..n).fold(Txn::new(), |txn, _| txn.otherwise(Get::key(k("a"))));
        for (two, three) in [(compares(2), compares(3)), (reads(2), reads(3)), (others(2), others(3))] {
            assert_eq!(kind_of(&two, &limits), None);
            assert_eq!(kind_of(&three, &limits), too_large);
        }

        let long_key = |len: usize| Txn::new().when(Compare::Absent(Key::new(vec![b'k'; len])));
        let room = 400 - long_key(0).request_bytes();
        assert_eq!(kind_of(&long_key(room), &limits), None);
        assert_eq!(kind_of(&long_key(room + 1), &limits), too_large);
    }

    #[test]
    fn the_error_names_the_limit() {
        let limits = Limits::ETCD_DEFAULTS.with_max_value_bytes(1);
        let txn = Txn::new().then(Op::Put { key: k("k"), value: Bytes::from("xx"), lease: None });
        let error = txn.check(&limits).unwrap_err();
        assert_eq!(error.message(), "2 bytes in a value, the store takes at most 1 (max_value_bytes)");
    }
}
