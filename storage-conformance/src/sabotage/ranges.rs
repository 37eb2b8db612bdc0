//! Ranges and pages that are not what was asked for.

use bytes::Bytes;
use storage_core::kv::{Cursor, Key, KeyRange, Projection, RangePage};

use super::support::{pages, requests, with_end, with_namesakes};
use super::twist::Twist;
use super::{Saboteur, saboteur};

pub(super) const SABOTEURS: &[Saboteur] = &[
    saboteur!(Store, ["KV-RANGE-1"], the_end_of_a_range_belongs_to_it),
    saboteur!(Store, ["KV-RANGE-1"], the_start_of_a_range_does_not_belong_to_it),
    saboteur!(Store, ["KV-RANGE-2"], a_page_is_not_sorted),
    saboteur!(Store, ["KV-RANGE-2"], longer_keys_come_later),
    saboteur!(Store, ["KV-RANGE-3"], foo_covers_foobar),
    saboteur!(Store, ["KV-RANGE-4"], a_page_is_short_and_says_that_nothing_follows),
    saboteur!(Store, ["KV-RANGE-4"], a_full_page_is_the_last),
    saboteur!(Store, ["KV-RANGE-4", "KV-RANGE-6"], the_next_page_leaves_one_out),
    saboteur!(Store, ["KV-RANGE-5"], a_page_has_one_entry_too_many),
    saboteur!(Store, ["KV-RANGE-6"], the_next_page_repeats_the_last_entry),
    saboteur!(Store, ["KV-RANGE-7"], a_cursor_must_be_a_key_that_exists),
    saboteur!(Store, ["KV-RANGE-7"], the_hint_of_a_cursor_is_how_many_to_skip),
    saboteur!(Store, ["KV-RANGE-8"], keys_alone_come_with_values),
    saboteur!(Store, ["KV-RANGE-8"], keys_alone_come_without_revisions),
    saboteur!(Store, ["KV-RANGE-9"], a_range_that_ends_before_it_starts_has_no_end),
    saboteur!(Store, ["KV-RANGE-10"], a_range_without_keys_never_ends),
    saboteur!(Store, ["KV-RANGE-11"], a_range_without_end_is_one_key),
    saboteur!(Store, ["KV-RANGE-12"], large_answers_are_cut),
];

fn the_end_of_a_range_belongs_to_it() -> Twist {
    requests(|request| request.range = with_end(&request.range))
}

fn the_start_of_a_range_does_not_belong_to_it() -> Twist {
    requests(|request| {
        if request.range.as_single().is_none() && request.cursor.is_none() {
            request.range = request.range.starting_at(&request.range.start().successor());
        }
    })
}

fn a_page_is_not_sorted() -> Twist {
    pages(|_, page| page.entries.reverse())
}

fn longer_keys_come_later() -> Twist {
    pages(|_, page| page.entries.sort_by_key(|entry| entry.key.as_bytes().len()))
}

fn foo_covers_foobar() -> Twist {
    requests(|request| request.range = with_namesakes(&request.range))
}

fn a_page_is_short_and_says_that_nothing_follows() -> Twist {
    pages(|request, page| {
        if request.limit.is_none() && page.entries.len() > 500 {
            page.entries.truncate(500);
            page.next = None;
        }
    })
}

fn a_full_page_is_the_last() -> Twist {
    pages(|request, page| {
        if request.limit.is_some() {
            page.next = None;
        }
    })
}

fn the_next_page_leaves_one_out() -> Twist {
    pages(|request, page| {
        if request.cursor.is_some() && !page.entries.is_empty() {
            page.entries.remove(0);
        }
    })
}

fn a_page_has_one_entry_too_many() -> Twist {
    requests(|request| request.limit = request.limit.map(|limit| limit.saturating_add(1)))
}

fn the_next_page_repeats_the_last_entry() -> Twist {
    pages(|_, page| {
        if let (Some(next), Some(last)) = (&mut page.next, page.entries.last()) {
            next.key = last.key.clone();
        }
    })
}

fn a_cursor_must_be_a_key_that_exists() -> Twist {
    Twist::new().range(|store, request| async move {
        let cursor = request.cursor.clone().filter(|cursor| cursor.hint == 0);
        let page = store.range(request).await?;
        let is_there =
            cursor.is_none_or(|cursor| page.entries.first().is_some_and(|entry| entry.key == cursor.key));
        Ok(if is_there { page } else { RangePage { entries: Vec::new(), next: None, ..page } })
    })
}

fn the_hint_of_a_cursor_is_how_many_to_skip() -> Twist {
    pages(|request, page| {
        if let Some(Cursor { hint, .. }) = request.cursor {
            let skipped = usize::try_from(hint).unwrap_or(usize::MAX).min(page.entries.len());
            page.entries.drain(..skipped);
        }
    })
}

fn keys_alone_come_with_values() -> Twist {
    requests(|request| request.projection = Projection::KeysAndValues)
}

fn keys_alone_come_without_revisions() -> Twist {
    pages(|request, page| {
        if request.projection == Projection::KeysOnly {
            for entry in &mut page.entries {
                entry.create_revision = entry.mod_revision;
            }
        }
    })
}

fn a_range_that_ends_before_it_starts_has_no_end() -> Twist {
    requests(|request| {
        if request.range.is_empty() {
            request.range = KeyRange::from(request.range.start().clone());
        }
    })
}

fn a_range_without_keys_never_ends() -> Twist {
    pages(|request, page| {
        if page.entries.is_empty() && page.next.is_none() && request.range.as_single().is_none() {
            page.next = Some(request.cursor.clone().unwrap_or(Cursor::at(request.range.start().clone())));
        }
    })
}

fn a_range_without_end_is_one_key() -> Twist {
    requests(|request| {
        if request.range.end().is_none() {
            request.range = KeyRange::single(Key::new([request.range.start().as_bytes(), b"\0"].concat()));
        }
    })
}

fn large_answers_are_cut() -> Twist {
    pages(|_, page| {
        let mut room = 1 << 18;
        for entry in &mut page.entries {
            let size = entry.value.len().min(room);
            room -= size;
            entry.value = Bytes::copy_from_slice(&entry.value[..size]);
        }
    })
}
