//! Reads of single keys that answer wrongly.

use bytes::Bytes;
use storage_core::kv::{
    BackendErrorKind, Consistency, Cursor, Entry, Key, KeyRange, Op, RangePage, RangeRequest, Revision,
};

use super::support::{newest, pages, requests, txns};
use super::twist::Twist;
use super::{Saboteur, saboteur};

pub(super) const SABOTEURS: &[Saboteur] = &[
    saboteur!(Store, ["KV-READ-1"], a_missing_key_is_an_empty_value),
    saboteur!(Store, ["KV-READ-2"], an_empty_value_is_no_value),
    saboteur!(Store, ["KV-READ-2"], values_end_at_a_zero_byte),
    saboteur!(Store, ["KV-READ-2", "KV-RANGE-2"], keys_are_lower_case),
    saboteur!(Store, ["KV-READ-3"], a_key_is_read_with_its_successor),
    saboteur!(Store, ["KV-READ-3"], a_single_key_has_a_next_page),
    saboteur!(Store, ["KV-READ-4"], reads_lag_one_revision_behind),
    saboteur!(Store, ["KV-READ-5"], the_empty_key_reads_as_nothing),
];

fn a_missing_key_is_an_empty_value() -> Twist {
    pages(|request, page| {
        if let Some(key) = request.range.as_single()
            && page.entries.is_empty()
        {
            page.entries.push(Entry {
                key: key.clone(),
                value: Bytes::new(),
                create_revision: page.revision,
                mod_revision: page.revision,
                lease: None,
            });
        }
    })
}

fn an_empty_value_is_no_value() -> Twist {
    txns(|txn| {
        for op in &mut txn.success {
            if let Op::Put { key, value, .. } = op
                && value.is_empty()
            {
                *op = Op::Delete(key.clone());
            }
        }
    })
}

fn values_end_at_a_zero_byte() -> Twist {
    txns(|txn| {
        for op in &mut txn.success {
            if let Op::Put { value, .. } = op
                && let Some(end) = value.iter().position(|byte| *byte == 0)
            {
                value.truncate(end);
            }
        }
    })
}

fn keys_are_lower_case() -> Twist {
    fn lower(key: &Key) -> Key {
        Key::new(key.as_bytes().to_ascii_lowercase())
    }
    txns(|txn| {
        for op in &mut txn.success {
            match op {
                Op::Put { key, .. } | Op::Delete(key) => *key = lower(key),
                Op::DeleteRange(_) | Op::Get(_) => {}
            }
        }
    })
}

fn a_key_is_read_with_its_successor() -> Twist {
    requests(|request| {
        if let Some(key) = request.range.as_single() {
            request.range = KeyRange::new(key.clone(), key.successor().successor());
        }
    })
}

fn a_single_key_has_a_next_page() -> Twist {
    pages(|request, page| {
        if request.range.as_single().is_some() && request.cursor.is_none() {
            page.next = page.entries.last().map(|entry| Cursor::at(entry.key.successor()));
        }
    })
}

fn reads_lag_one_revision_behind() -> Twist {
    Twist::new().range(|store, mut request: RangeRequest| async move {
        if request.at.is_none() && request.consistency == Consistency::Linearizable {
            let newest = newest(&store).await?;
            request.at = Some(Revision(newest.0.saturating_sub(1).max(1)).min(newest));
        }
        store.range(request).await
    })
}

fn the_empty_key_reads_as_nothing() -> Twist {
    Twist::new().range(|store, request| async move {
        match store.range(request).await {
            Err(error) if error.kind() == BackendErrorKind::InvalidRequest => {
                Ok(RangePage { revision: newest(&store).await?, entries: Vec::new(), next: None })
            }
            result => result,
        }
    })
}
