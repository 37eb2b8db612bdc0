//! Trees that write something else than they were asked to, or where they must not.

use bytes::Bytes;
use storage_core::kv::{Compare, Key, KeyRange, Op, RangeRequest, Txn};

use super::files::{field, with_field};
use super::support::{deleted_ranges, is_of, one_by_one, puts, txns, with_namesakes, without};
use super::twist::Twist;
use super::{Saboteur, saboteur};

pub(super) const SABOTEURS: &[Saboteur] = &[
    saboteur!(Storage, ["FS-FILE-1", "FS-FILE-2"], a_file_loses_its_last_byte),
    saboteur!(Storage, ["FS-FILE-3"], a_file_takes_the_place_of_a_directory),
    saboteur!(Storage, ["FS-FILE-4"], files_lie_below_files),
    saboteur!(Storage, ["FS-FILE-10"], too_large_a_content_is_split_in_silence),
    saboteur!(Storage, ["FS-FILE-11"], what_is_old_is_of_1970),
    saboteur!(Storage, ["FS-PATH-4"], case_does_not_matter),
    saboteur!(Storage, ["FS-PATH-5"], a_directory_takes_its_namesakes_along),
    saboteur!(Storage, ["FS-PATH-7"], trees_share_their_files),
    saboteur!(Storage, ["FS-DEL-2"], the_contents_of_a_deleted_directory_stay),
    saboteur!(Storage, ["FS-DEL-3", "FS-LOST-4"], a_directory_is_deleted_step_by_step),
    saboteur!(Storage, ["FS-DEL-7"], deleting_a_file_takes_directories_along),
    saboteur!(Storage, ["FS-COND-1"], store_if_replaces_any_version),
    saboteur!(Storage, ["FS-COND-2"], create_replaces),
    saboteur!(Storage, ["FS-MOVE-1"], a_moved_file_stays_where_it_was),
    saboteur!(Storage, ["FS-MOVE-2"], a_moved_file_replaces_another),
    saboteur!(Storage, ["FS-MOVE-5"], a_file_is_moved_in_two_steps),
    saboteur!(Storage, ["FS-GROUP-1"], a_group_is_stored_file_by_file),
    saboteur!(Storage, ["FS-FORMAT-1"], a_tree_gets_no_format),
    saboteur!(Storage, ["FS-FORMAT-3"], contents_lie_elsewhere),
    saboteur!(Storage, ["FS-FORMAT-5"], deletions_leave_no_record),
];

fn each_put(change: fn(&mut Key, &mut Bytes)) -> Twist {
    Twist::new().txn(move |store, mut txn| async move {
        for op in &mut txn.success {
            if let Op::Put { key, value, .. } = op {
                change(key, value);
            }
        }
        store.txn(txn).await
    })
}

/// Changes the key of every single key that is put, deleted or read.
fn single_keys(change: fn(&Key) -> Key) -> Twist {
    Twist::new().txn(move |store, mut txn| async move {
        for op in &mut txn.success {
            match op {
                Op::Put { key, .. } | Op::Delete(key) => *key = change(key),
                Op::DeleteRange(_) => {}
                Op::Get(get) => {
                    if let Some(key) = get.range.as_single() {
                        get.range = KeyRange::single(change(key));
                    }
                }
            }
        }
        store.txn(txn).await
    })
}

fn a_file_loses_its_last_byte() -> Twist {
    each_put(|key, value| {
        if is_of(key, "data") {
            value.truncate(value.len().saturating_sub(1));
        }
    })
}

fn a_file_takes_the_place_of_a_directory() -> Twist {
    without(|txn, compare| {
        let is_stored = txn.success.iter().any(|op| matches!(op, Op::Put { key, .. } if is_of(key, "data")));
        matches!(compare, Compare::RangeEmpty(range) if is_stored && is_of(range.start(), "meta"))
    })
}

fn files_lie_below_files() -> Twist {
    without(|txn, compare| matches!(compare, Compare::Absent(key) if is_of(key, "meta") && !puts(txn, key)))
}

fn too_large_a_content_is_split_in_silence() -> Twist {
    const ROOM: usize = 2048;
    Twist::new().limits(|limits| limits.with_max_value_bytes(1 << 30).with_max_request_bytes(1 << 30)).txn(
        |store, mut txn| async move {
            let limits = store.limits();
            let most = limits.max_value_bytes.min(limits.max_request_bytes - ROOM);
            let mut rest = Vec::new();
            for op in &mut txn.success {
                if let Op::Put { key, value, .. } = op
                    && value.len() > most
                {
                    let part = Key::new([key.as_bytes(), b"#2"].concat());
                    rest.push((part, value.split_off(most)));
                }
            }
            for (key, mut value) in rest {
                value.truncate(most);
                store.txn(Txn::new().then(Op::Put { key, value, lease: None })).await?;
            }
            store.txn(txn).await
        },
    )
}

/// A time that is not of these years is not stored as it is.
fn what_is_old_is_of_1970() -> Twist {
    each_put(|key, value| {
        if is_of(key, "meta")
            && let Ok(record) = std::str::from_utf8(value)
            && field(record, "modified").is_some_and(|modified| modified < "\"2024")
        {
            *value = with_field(record, "modified", "\"1970-01-01T00:00:00Z\"").into();
        }
    })
}

fn case_does_not_matter() -> Twist {
    fn lower(key: &Key) -> Key {
        if is_of(key, "meta") || is_of(key, "data") {
            Key::new(key.as_bytes().to_ascii_lowercase())
        } else {
            key.clone()
        }
    }
    single_keys(lower)
}

fn a_directory_takes_its_namesakes_along() -> Twist {
    txns(|txn| deleted_ranges(txn).for_each(|range| *range = with_namesakes(range)))
}

/// Takes what follows the case's prefix up to the kind of a key out of it.
fn trees_share_their_files() -> Twist {
    fn shared(key: &Key) -> Key {
        let text = String::from_utf8_lossy(key.as_bytes()).into_owned();
        let cut = ["/data/", "/meta/"].iter().find_map(|kind| Some((text.find(kind)?, text.find('/')?)));
        cut.map_or_else(
            || key.clone(),
            |(kind, first)| Key::new(format!("{}{}", &text[..first], &text[kind..])),
        )
    }
    single_keys(shared)
}

fn the_contents_of_a_deleted_directory_stay() -> Twist {
    txns(|txn| {
        txn.success.retain(|op| !matches!(op, Op::DeleteRange(range) if is_of(range.start(), "data")));
    })
}

/// Runs transactions of which this is said step by step, with time for others between the steps.
fn step_by_step(is_torn: fn(&Txn) -> bool) -> Twist {
    Twist::new().txn(move |store, txn| async move {
        txn.check(&store.limits())?;
        if is_torn(&txn) { one_by_one(store, txn).await } else { store.txn(txn).await }
    })
}

/// The files of a directory go one by one.
fn a_directory_is_deleted_step_by_step() -> Twist {
    Twist::new().txn(|store, mut txn| async move {
        for range in deleted_ranges(&mut txn).filter(|range| range.as_single().is_none()) {
            let request = RangeRequest::new(range.clone());
            for entry in store.range(request).await?.entries {
                tokio::task::yield_now().await;
                store.txn(Txn::new().then(Op::Delete(entry.key))).await?;
            }
        }
        store.txn(txn).await
    })
}

fn deleting_a_file_takes_directories_along() -> Twist {
    Twist::new().txn(|store, mut txn| async move {
        let is_deleted = txn.success.iter().any(|op| matches!(op, Op::Delete(key) if is_of(key, "meta")));
        if is_deleted {
            txn.compares.retain(|compare| !matches!(compare, Compare::RangeEmpty(_)));
        }
        store.txn(txn).await
    })
}

fn store_if_replaces_any_version() -> Twist {
    without(|_, compare| matches!(compare, Compare::ModRevision(key, _) if is_of(key, "meta")))
}

fn deletes_a_file(txn: &Txn) -> bool {
    txn.success.iter().any(|op| matches!(op, Op::Delete(key) if is_of(key, "meta")))
}

fn create_replaces() -> Twist {
    without(
        |txn, compare| matches!(compare, Compare::Absent(key) if is_of(key, "meta") && puts(txn, key) && !deletes_a_file(txn)),
    )
}

fn stores_a_file(txn: &Txn) -> bool {
    txn.success.iter().any(|op| matches!(op, Op::Put { key, .. } if is_of(key, "meta")))
}

fn a_moved_file_stays_where_it_was() -> Twist {
    txns(|txn| {
        if stores_a_file(txn) {
            txn.success.retain(|op| !matches!(op, Op::Delete(_)));
        }
    })
}

fn a_moved_file_replaces_another() -> Twist {
    without(
        |txn, compare| matches!(compare, Compare::Absent(key) if is_of(key, "meta") && puts(txn, key) && deletes_a_file(txn)),
    )
}

fn a_file_is_moved_in_two_steps() -> Twist {
    step_by_step(|txn| stores_a_file(txn) && deletes_a_file(txn))
}

fn a_group_is_stored_file_by_file() -> Twist {
    step_by_step(|txn| txn.success.iter().filter(|op| matches!(op, Op::Put { .. })).count() > 2)
}

fn a_tree_gets_no_format() -> Twist {
    txns(|txn| {
        let is_format = |key: &Key| key.as_bytes().ends_with(b"/tree/format");
        txn.success.retain(|op| !matches!(op, Op::Put { key, .. } if is_format(key)));
        txn.compares.retain(|compare| !matches!(compare, Compare::ModRevision(key, _) if is_format(key)));
    })
}

fn contents_lie_elsewhere() -> Twist {
    fn moved(key: &Key) -> Key {
        let text = String::from_utf8_lossy(key.as_bytes()).into_owned();
        Key::new(text.replacen("/tree/data/", "/tree/contents/", 1))
    }
    single_keys(moved)
}

fn deletions_leave_no_record() -> Twist {
    txns(|txn| {
        let is_record = |key: &Key| key.as_bytes().ends_with(b"/tree/deleted");
        txn.success.retain(|op| !matches!(op, Op::Put { key, .. } if is_record(key)));
    })
}
