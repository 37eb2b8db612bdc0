//! Trees that answer wrongly about their files: what is read is not what is there.

use storage_core::Sha1Digest;
use storage_core::kv::{
    BackendError, Entry, GetReply, Key, Op, OpReply, RangePage, Revision, Txn, TxnOutcome, TxnReply,
};

use super::support::{entries, is_of, newest, one_by_one, pages, requests, writes};
use super::twist::Twist;
use super::{Saboteur, saboteur};

pub(super) const SABOTEURS: &[Saboteur] = &[
    saboteur!(Storage, ["FS-DAMAGE-1"], checksums_are_not_looked_at),
    saboteur!(Storage, ["FS-DAMAGE-2"], damaged_metadata_is_no_file),
    saboteur!(Storage, ["FS-DAMAGE-3"], metadata_of_a_later_version_is_read_as_ours),
    saboteur!(Storage, ["FS-FILE-9"], metadata_is_of_another_revision_than_the_content),
    saboteur!(Storage, ["FS-GROUP-7"], a_group_is_loaded_file_by_file),
    saboteur!(Storage, ["FS-EXISTS-1"], directories_do_not_exist),
    saboteur!(Storage, ["FS-EXISTS-2"], a_failure_is_an_absence),
    saboteur!(Storage, ["FS-STAT-2"], sizes_are_rounded_up_to_blocks),
    saboteur!(Storage, ["FS-STAT-3"], a_directory_is_as_large_as_its_first_file),
    saboteur!(Storage, ["FS-FILE-7"], a_directory_is_loaded_as_if_nothing_were_there),
    saboteur!(Storage, ["FS-PATH-6"], names_below_md_are_hidden),
    saboteur!(Storage, ["FS-LIST-8"], a_listing_moves_on_with_the_tree),
    saboteur!(Storage, ["FS-LIST-12"], a_listing_ends_after_its_first_page),
    saboteur!(Storage, ["FS-FORMAT-2"], any_format_is_ours),
    saboteur!(Storage, ["FS-COST-1"], every_operation_asks_twice),
];

/// The value of a field of a record, which is JSON without spaces.
pub(super) fn field<'r>(record: &'r str, name: &str) -> Option<&'r str> {
    let (_, rest) = record.split_once(&format!("\"{name}\":"))?;
    rest.split([',', '}']).next()
}

/// A record with another value in a field.
pub(super) fn with_field(record: &str, name: &str, value: &str) -> String {
    match field(record, name) {
        Some(old) => record.replace(&format!("\"{name}\":{old}"), &format!("\"{name}\":{value}")),
        None => record.to_owned(),
    }
}

fn is_record(entry: &Entry) -> bool {
    is_of(&entry.key, "meta") && !entry.value.is_empty()
}

/// Changes every record of a file that is read.
fn records(change: fn(&str) -> String) -> Twist {
    let change_all = move |found: &mut dyn Iterator<Item = &mut Entry>| {
        for entry in found.filter(|entry| is_record(entry)) {
            if let Ok(record) = std::str::from_utf8(&entry.value) {
                entry.value = change(record).into();
            }
        }
    };
    Twist::new()
        .txn(move |store, txn| async move {
            let mut reply = store.txn(txn).await?;
            change_all(&mut entries(&mut reply));
            Ok(reply)
        })
        .range(move |store, request| async move {
            let mut page = store.range(request).await?;
            change_all(&mut page.entries.iter_mut());
            Ok(page)
        })
}

/// Makes every record say what the content beside it is.
fn checksums_are_not_looked_at() -> Twist {
    Twist::new().txn(|store, txn| async move {
        let mut reply = store.txn(txn).await?;
        let mut content = None;
        for entry in entries(&mut reply) {
            if is_of(&entry.key, "data") {
                content = Some(entry.value.clone());
            } else if let (Some(content), true, Ok(record)) =
                (&content, is_record(entry), std::str::from_utf8(&entry.value))
            {
                let sized = with_field(record, "size", &content.len().to_string());
                let sha1 = format!("\"{}\"", Sha1Digest::of(content));
                entry.value = with_field(&sized, "sha1", &sha1).into();
            }
        }
        Ok(reply)
    })
}

fn damaged_metadata_is_no_file() -> Twist {
    Twist::new().txn(|store, txn| async move {
        let mut reply = store.txn(txn).await?;
        if let TxnOutcome::Matched(replies) = &mut reply.outcome {
            for reply in replies {
                if let OpReply::Get(get) = reply {
                    get.entries.retain(|entry| !is_of(&entry.key, "meta") || looks_like_a_record(entry));
                }
            }
        }
        Ok(reply)
    })
}

fn looks_like_a_record(entry: &Entry) -> bool {
    entry.value.is_empty() || entry.value.starts_with(b"{\"version\":")
}

fn metadata_of_a_later_version_is_read_as_ours() -> Twist {
    records(|record| with_field(record, "version", "1"))
}

/// Runs reads one by one, with time for others between them.
fn reads_one_by_one(is_torn: fn(&Txn) -> bool) -> Twist {
    Twist::new().txn(move |store, txn| async move {
        if !writes(&txn) && is_torn(&txn) { one_by_one(store, txn).await } else { store.txn(txn).await }
    })
}

fn metadata_is_of_another_revision_than_the_content() -> Twist {
    reads_one_by_one(|_| true)
}

fn a_group_is_loaded_file_by_file() -> Twist {
    reads_one_by_one(|txn| txn.success.len() > 3)
}

/// Empties the reads of what lies below a path.
fn directories_do_not_exist() -> Twist {
    Twist::new().txn(|store, txn| async move {
        let mut reply = store.txn(txn.clone()).await?;
        empty_reads_below(&txn, &mut reply);
        Ok(reply)
    })
}

fn empty_reads_below(txn: &Txn, reply: &mut TxnReply) {
    if let TxnOutcome::Matched(replies) = &mut reply.outcome {
        for (op, reply) in txn.success.iter().zip(replies) {
            if let (Op::Get(get), OpReply::Get(found)) = (op, reply)
                && get.range.as_single().is_none()
                && is_of(get.range.start(), "meta")
            {
                *found = GetReply::default();
            }
        }
    }
}

fn a_failure_is_an_absence() -> Twist {
    Twist::new()
        .txn(|store, txn| async move {
            match store.txn(txn.clone()).await {
                Err(_) if !writes(&txn) => {
                    let found = txn.success.iter().map(|_| OpReply::Get(GetReply::default())).collect();
                    Ok(TxnReply { revision: Revision(1), outcome: TxnOutcome::Matched(found) })
                }
                result => result,
            }
        })
        .range(|store, request| async move {
            let absent =
                |_: BackendError| RangePage { revision: Revision(1), entries: Vec::new(), next: None };
            Ok(store.range(request).await.unwrap_or_else(absent))
        })
}

fn sizes_are_rounded_up_to_blocks() -> Twist {
    records(|record| {
        let size = field(record, "size").and_then(|size| size.parse::<u64>().ok()).unwrap_or_default();
        with_field(record, "size", &size.next_multiple_of(512).to_string())
    })
}

fn a_directory_is_as_large_as_its_first_file() -> Twist {
    Twist::new().txn(|store, txn| async move {
        let mut reply = store.txn(txn.clone()).await?;
        if let TxnOutcome::Matched(replies) = &mut reply.outcome {
            for (op, reply) in txn.success.iter().zip(replies) {
                if let (Op::Get(get), OpReply::Get(found)) = (op, reply)
                    && get.range.as_single().is_none()
                {
                    found.entries.truncate(1);
                    found.more = false;
                }
            }
        }
        Ok(reply)
    })
}

fn a_directory_is_loaded_as_if_nothing_were_there() -> Twist {
    Twist::new().txn(|store, txn| async move {
        let reads_content = |op: &Op| matches!(op, Op::Get(get) if is_of(get.range.start(), "data"));
        let mut reply = store.txn(txn.clone()).await?;
        if txn.success.iter().any(reads_content) {
            empty_reads_below(&txn, &mut reply);
        }
        Ok(reply)
    })
}

fn names_below_md_are_hidden() -> Twist {
    let is_hidden = |key: &Key| key.as_bytes().windows(4).any(|part| part == b"/md/");
    Twist::new()
        .range(move |store, request| async move {
            let mut page = store.range(request).await?;
            page.entries.retain(|entry| !is_hidden(&entry.key));
            Ok(page)
        })
        .txn(move |store, txn| async move {
            let mut reply = store.txn(txn).await?;
            if let TxnOutcome::Matched(replies) = &mut reply.outcome {
                for reply in replies {
                    if let OpReply::Get(get) = reply {
                        get.entries.retain(|entry| !is_hidden(&entry.key));
                    }
                }
            }
            Ok(reply)
        })
}

fn a_listing_moves_on_with_the_tree() -> Twist {
    requests(|request| request.at = None)
}

fn a_listing_ends_after_its_first_page() -> Twist {
    pages(|request, page| {
        if is_of(request.range.start(), "meta") {
            page.next = None;
        }
    })
}

fn any_format_is_ours() -> Twist {
    fn ours<'e>(found: impl Iterator<Item = &'e mut Entry>) {
        for entry in found.filter(|entry| entry.key.as_bytes().ends_with(b"/tree/format")) {
            entry.value = "1".into();
        }
    }
    Twist::new()
        .range(|store, request| async move {
            let mut page = store.range(request).await?;
            ours(page.entries.iter_mut());
            Ok(page)
        })
        .txn(|store, txn| async move {
            let mut reply = store.txn(txn).await?;
            ours(entries(&mut reply));
            Ok(reply)
        })
}

fn every_operation_asks_twice() -> Twist {
    Twist::new().txn(|store, txn| async move {
        newest(&store).await?;
        store.txn(txn).await
    })
}
