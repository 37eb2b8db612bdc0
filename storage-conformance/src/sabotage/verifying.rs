//! Trees that find too little damage, or lose what they should move away.

use storage_core::kv::{Compare, Key, KeyRange, KvBackendExt, Op};

use super::support::{entries, is_of, pages, requests, txns, without};
use super::twist::Twist;
use super::{Saboteur, saboteur};

pub(super) const SABOTEURS: &[Saboteur] = &[
    saboteur!(Storage, ["FS-VERIFY-1"], contents_without_records_are_not_seen),
    saboteur!(Storage, ["FS-VERIFY-1"], records_without_contents_are_not_seen),
    saboteur!(Storage, ["FS-VERIFY-3"], what_is_no_file_is_not_looked_at),
    saboteur!(Storage, ["FS-VERIFY-5"], halves_of_files_are_of_different_revisions),
    saboteur!(Storage, ["FS-VERIFY-6"], verifying_ends_after_the_first_page_of_contents),
    saboteur!(Storage, ["FS-QUARANTINE-1"], a_repair_deletes),
    saboteur!(Storage, ["FS-QUARANTINE-1"], a_repair_copies),
    saboteur!(Storage, ["FS-QUARANTINE-1"], a_repair_forgets_the_metadata),
    saboteur!(Storage, ["FS-QUARANTINE-2"], a_repair_moves_what_is_there_now),
    saboteur!(Storage, ["FS-QUARANTINE-6"], what_is_moved_back_overwrites),
    saboteur!(Storage, ["FS-QUARANTINE-7"], deleting_everything_empties_the_quarantine),
];

/// As if only the records were gone through.
fn contents_without_records_are_not_seen() -> Twist {
    only_with_the_other_half("data", "meta")
}

/// As if only the contents were gone through.
fn records_without_contents_are_not_seen() -> Twist {
    only_with_the_other_half("meta", "data")
}

/// Hides the halves of files that have no other half.
fn only_with_the_other_half(one: &'static str, other: &'static str) -> Twist {
    Twist::new().range(move |store, request| async move {
        let mut page = store.range(request.clone()).await?;
        if is_of(request.range.start(), one) {
            let mut kept = Vec::new();
            for entry in page.entries {
                let key = String::from_utf8_lossy(entry.key.as_bytes()).into_owned();
                let key = Key::new(key.replacen(&format!("/tree/{one}/"), &format!("/tree/{other}/"), 1));
                if store.get(key).await?.is_some() {
                    kept.push(entry);
                }
            }
            page.entries = kept;
        }
        Ok(page)
    })
}

fn what_is_no_file_is_not_looked_at() -> Twist {
    pages(|request, page| {
        if !is_of(request.range.start(), "data") && !is_of(request.range.start(), "meta") {
            page.entries.clear();
        }
    })
}

/// And each is judged at once.
fn halves_of_files_are_of_different_revisions() -> Twist {
    let moves_on = requests(|request| request.at = None);
    // The second look is what would put it right.
    moves_on.txn(|store, txn| async move {
        let looks_again = txn.compares.is_empty()
            && txn.success.len() == 2
            && txn.success.iter().all(|op| matches!(op, Op::Get(get) if get.range.as_single().is_some()));
        let reply = store.txn(txn).await?;
        if !looks_again {
            return Ok(reply);
        }
        let mut reply = reply;
        for entry in entries(&mut reply).filter(|entry| is_of(&entry.key, "data")) {
            entry.value = "torn".into();
        }
        Ok(reply)
    })
}

fn verifying_ends_after_the_first_page_of_contents() -> Twist {
    pages(|request, page| {
        if is_of(request.range.start(), "data") {
            page.next = None;
        }
    })
}

fn is_in_quarantine(op: &Op) -> bool {
    matches!(op, Op::Put { key, .. } if is_of(key, "quarantine"))
}

fn a_repair_deletes() -> Twist {
    txns(|txn| txn.success.retain(|op| !is_in_quarantine(op)))
}

fn a_repair_copies() -> Twist {
    txns(|txn| {
        if txn.success.iter().any(is_in_quarantine) {
            txn.success.retain(|op| !matches!(op, Op::Delete(_)));
        }
    })
}

fn a_repair_forgets_the_metadata() -> Twist {
    txns(|txn| {
        let is_record = |op: &Op| {
            matches!(op, Op::Put { key, .. } if is_of(key, "quarantine")
                && key.as_bytes().windows(6).any(|part| part == b"/meta/"))
        };
        txn.success.retain(|op| !is_record(op));
    })
}

/// The values are those that were read, whatever was stored since.
fn a_repair_moves_what_is_there_now() -> Twist {
    without(|txn, compare| {
        txn.success.iter().any(is_in_quarantine)
            && matches!(compare, Compare::ModRevision(key, _) | Compare::Absent(key) if is_of(key, "data") || is_of(key, "meta"))
    })
}

fn what_is_moved_back_overwrites() -> Twist {
    without(|txn, compare| {
        let moves_back = txn
            .success
            .iter()
            .any(|op| matches!(op, Op::DeleteRange(range) if is_of(range.start(), "quarantine")));
        moves_back && !matches!(compare, Compare::ModRevision(..))
    })
}

fn deleting_everything_empties_the_quarantine() -> Twist {
    txns(|txn| {
        let place = txn.success.iter().find_map(|op| match op {
            Op::DeleteRange(range) => {
                let start = String::from_utf8_lossy(range.start().as_bytes()).into_owned();
                start.strip_suffix("/tree/meta/").map(|before| format!("{before}/tree/quarantine/"))
            }
            _ => None,
        });
        if let Some(place) = place {
            txn.success.push(Op::DeleteRange(KeyRange::prefix(place)));
        }
    })
}
