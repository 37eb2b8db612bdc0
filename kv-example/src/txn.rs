use storage_core::kv::{BackendError, Compare, Entry, Key, KeyRange, Op, OpReply, Txn, TxnOutcome, TxnReply};

use crate::store::Store;

impl Store {
    /// Runs a transaction that is well-formed.
    pub(crate) fn txn(&mut self, txn: Txn) -> Result<TxnReply, BackendError> {
        if !txn.compares.iter().all(|compare| self.holds(compare)) {
            let replies = txn.failure.iter().map(|get| self.get(get)).collect();
            return Ok(TxnReply { revision: self.newest(), outcome: TxnOutcome::NotMatched(replies) });
        }
        // There is no way back from the first change: what can be refused is refused before it.
        for op in &txn.success {
            if let Op::Put { lease: Some(lease), .. } = op {
                self.lease(*lease)?;
            }
        }
        let replies = self.change(txn.success);
        Ok(TxnReply { revision: self.newest(), outcome: TxnOutcome::Matched(replies) })
    }

    /// Runs operations as one change: the next revision, or none if they change nothing.
    pub(crate) fn change(&mut self, ops: Vec<Op>) -> Vec<OpReply> {
        self.changes.push(Vec::new());
        let replies = ops.into_iter().map(|op| self.apply(op)).collect();
        if self.changes.pop_if(|keys| keys.is_empty()).is_none() {
            self.news.send_replace(self.newest());
        }
        replies
    }

    fn holds(&self, compare: &Compare) -> bool {
        let entry = |key| self.entry(key, self.newest());
        match compare {
            Compare::Absent(key) => entry(key).is_none(),
            Compare::Present(key) => entry(key).is_some(),
            Compare::ModRevision(key, at) => entry(key).is_some_and(|entry| entry.mod_revision == *at),
            Compare::RangeEmpty(range) => self.entries(range, self.newest()).next().is_none(),
        }
    }

    fn apply(&mut self, op: Op) -> OpReply {
        match op {
            Op::Put { key, value, lease } => {
                let mod_revision = self.newest();
                let old = self.entry(&key, mod_revision);
                let create_revision = old.map_or(mod_revision, |old| old.create_revision);
                let entry = Entry { key: key.clone(), value, create_revision, mod_revision, lease };
                self.set(key, Some(entry));
                OpReply::Put
            }
            Op::Delete(key) => self.apply(Op::DeleteRange(KeyRange::single(key))),
            Op::DeleteRange(range) => {
                let found = self.entries(&range, self.newest());
                let keys: Vec<Key> = found.map(|entry| entry.key.clone()).collect();
                let count = keys.len() as u64;
                for key in keys {
                    self.set(key, None);
                }
                OpReply::Deleted(count)
            }
            Op::Get(get) => OpReply::Get(self.get(&get)),
        }
    }

    fn set(&mut self, key: Key, entry: Option<Entry>) {
        let revision = self.newest();
        self.changes.last_mut().expect("a change has begun").push(key.clone());
        self.versions.entry(key).or_default().push((revision, entry));
    }
}
