use std::collections::BTreeSet;
use std::num::NonZeroU32;

use bytes::Bytes;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use storage_core::kv::Revision;

use super::*;

/// A server that holds keys, all with values of one size, and counts what it has to walk over.
struct Server {
    keys: BTreeSet<Key>,
    value: Bytes,
}

/// How a range was read.
#[derive(Debug, Default)]
struct Listing {
    keys: Vec<Key>,
    pages: usize,
    empty_in_a_row: usize,
    walked: usize,
    largest_page: usize,
}

impl Server {
    fn new(keys: impl IntoIterator<Item = Key>) -> Self {
        Self { keys: keys.into_iter().collect(), value: Bytes::new() }
    }

    fn in_range(&self, range: &KeyRange) -> Vec<&Key> {
        self.keys.iter().filter(|key| range.contains(key)).collect()
    }

    /// Reads a range page by page; `spoil` may replace the hint between two pages.
    fn list(&self, request: RangeRequest, mut spoil: impl FnMut(u64) -> u64) -> Listing {
        // To find the keys of a range quickly, once.
        let sorted: Vec<_> = self.keys.iter().cloned().collect();
        let mut listing = Listing::default();
        let (mut request, mut empty_in_a_row) = (request, 0);
        loop {
            let plan = Plan::new(&request);
            let range = plan.range();
            let from = sorted.partition_point(|key| key < range.start());
            let to =
                range.end().map_or(sorted.len(), |end| sorted.partition_point(|key| key < end)).max(from);
            let limit = usize::try_from(plan.limit()).unwrap();
            let found: Vec<_> = sorted[from..to].iter().take(limit).map(|key| self.entry(key)).collect();
            let next = if to - from > limit {
                plan.next_when_full(&found)
            } else {
                plan.next_when_exhausted(&found)
            };
            listing.pages += 1;
            listing.walked += to - from;
            listing.largest_page = listing.largest_page.max(found.len());
            empty_in_a_row = if found.is_empty() { empty_in_a_row + 1 } else { 0 };
            listing.empty_in_a_row = listing.empty_in_a_row.max(empty_in_a_row);
            listing.keys.extend(found.into_iter().map(|entry| entry.key));
            let Some(next) = next else { return listing };
            assert!(next.key > *request.remaining().start(), "no progress: {next:?} after {request:?}");
            assert!(request.range.contains(&next.key), "{next:?} beyond {:?}", request.range);
            request = request.with_cursor(Cursor { key: next.key, hint: spoil(next.hint) });
        }
    }

    fn entry(&self, key: &Key) -> Entry {
        let (key, value) = (key.clone(), self.value.clone());
        Entry { key, value, create_revision: Revision(1), mod_revision: Revision(1), lease: None }
    }
}

fn keys_only(range: KeyRange) -> RangeRequest {
    RangeRequest::new(range).with_projection(Projection::KeysOnly)
}

/// Keys as they are in a tree of certificates: three files of each host below one of two authorities.
fn certificates(hosts: u32) -> impl Iterator<Item = Key> {
    let directories = ["acme-staging-v02.example-directory", "acme-v02.example-directory"];
    (0..hosts).flat_map(move |number| {
        // Scattered over the alphabet, as names are.
        let scattered = number.wrapping_mul(2_654_435_761);
        let host = format!(
            "{}{scattered:x}.customer-{}.example.com",
            ["www", "mail", "shop"][number as usize % 3],
            number % 97
        );
        let directory = directories[number as usize % 2];
        ["crt", "json", "key"]
            .map(|kind| Key::new(format!("/caddy/meta/certificates/{directory}/{host}/{host}.{kind}")))
    })
}

#[test]
fn listing_scattered_keys_walks_over_few_more_than_it_returns() {
    let names = (0..100_000_u32).map(|number| number.wrapping_mul(2_654_435_761));
    let server = Server::new(names.map(|name| Key::new(format!("/caddy/meta/certificates/{name:08x}.crt"))));
    let listing = server.list(keys_only(KeyRange::prefix("/caddy/")), |hint| hint);
    assert_eq!(listing.keys.len(), 100_000);
    // The first page has no end yet, and costs the whole range.
    assert!(listing.walked <= 205_000, "{} walked, {} pages", listing.walked, listing.pages);
}

#[test]
fn listing_clustered_keys_costs_much_less_than_walking_to_the_end_for_each_page() {
    let server = Server::new(certificates(100_000));
    let all = KeyRange::prefix("/caddy/meta/");
    let listing = server.list(keys_only(all.clone()), |hint| hint);
    assert_eq!(listing.keys.len(), 300_000);
    assert!(listing.walked < 300_000 * 4, "{} walked, {} pages", listing.walked, listing.pages);
    assert!(listing.pages < 80, "{} pages", listing.pages);

    let forgetful = server.list(keys_only(all), |_| 0);
    assert_eq!(forgetful.keys.len(), 300_000);
    assert!(forgetful.walked > listing.walked * 2, "{} without hints", forgetful.walked);
}

#[test]
fn pages_with_values_are_aimed_at_their_size() {
    let mut server = Server::new(certificates(20_000));
    server.value = Bytes::from(vec![0; 2000]);
    let listing = server.list(RangeRequest::new(KeyRange::prefix("/caddy/")), |hint| hint);
    assert_eq!(listing.keys.len(), 60_000);
    let most = usize::try_from(PAGE_BYTES).unwrap() / 2000;
    assert!((most / 2..=most).contains(&listing.largest_page), "{}", listing.largest_page);
    assert!(listing.walked < 60_000 * 4, "{} walked, {} pages", listing.walked, listing.pages);
}

#[test]
fn large_values_come_one_by_one() {
    let mut server = Server::new(certificates(100));
    server.value = Bytes::from(vec![0; 10_000_000]);
    let first = Plan::new(&RangeRequest::new(KeyRange::prefix("/caddy/")));
    let entries: Vec<_> =
        server.in_range(first.range()).into_iter().take(64).map(|key| server.entry(key)).collect();
    let next = first.next_when_full(&entries).unwrap();
    let second = Plan::new(&RangeRequest::new(KeyRange::prefix("/caddy/")).with_cursor(next));
    // The mean is remembered up to four million bytes.
    assert!(second.limit() <= 2, "{}", second.limit());
}

#[test]
fn a_page_that_was_too_large_is_asked_for_in_halves() {
    let mut plan = Plan::new(&RangeRequest::new(KeyRange::prefix("p")));
    let mut limits = vec![plan.limit()];
    while plan.can_shrink() {
        plan.shrink();
        limits.push(plan.limit());
    }
    assert_eq!(limits, [64, 32, 16, 8, 4, 2, 1]);
}

#[test]
fn the_callers_limit_is_kept_and_a_first_page_reaches_to_the_end() {
    let request = keys_only(KeyRange::prefix("p")).with_limit(NonZeroU32::new(7).unwrap());
    let plan = Plan::new(&request);
    assert_eq!((plan.limit(), plan.range()), (7, &KeyRange::prefix("p")));
    let request = keys_only(KeyRange::prefix("p")).with_limit(NonZeroU32::MAX);
    assert_eq!(Plan::new(&request).limit(), MOST_ENTRIES);
}

/// Short keys of few different bytes, so that they have beginnings in common, and the extremes among them.
fn a_key() -> impl Strategy<Value = Key> {
    let byte = prop_oneof![Just(0), Just(1), Just(b'/'), Just(b'a'), Just(0xfe), Just(0xff), any::<u8>()];
    vec(byte, 1..14).prop_map(Key::new)
}

fn a_range() -> impl Strategy<Value = KeyRange> {
    prop_oneof![
        Just(KeyRange::prefix("")),
        a_key().prop_map(KeyRange::from),
        (a_key(), a_key()).prop_map(|(start, end)| KeyRange::new(start, end)),
        vec(any::<u8>(), 0..3).prop_map(KeyRange::prefix),
    ]
}

proptest! {
    #[test]
    fn the_pages_of_a_range_are_the_range_whatever_the_hints_are(
        keys in btree_set(a_key(), 0..60),
        range in a_range(),
        limit in 1_u32..10,
        hints in vec(prop_oneof![Just(None), any::<u64>().prop_map(Some)], 1..20),
    ) {
        let server = Server { keys, value: Bytes::new() };
        let expected: Vec<_> = server.in_range(&range).into_iter().cloned().collect();
        let request = RangeRequest::new(range).with_limit(NonZeroU32::new(limit).unwrap());
        // A page may be empty although more follows, so some of the hints are spoiled, not all for ever.
        let mut spoiled = hints.into_iter();
        let listing = server.list(request, |hint| spoiled.next().flatten().unwrap_or(hint));
        prop_assert_eq!(listing.keys, expected);
    }

    #[test]
    fn a_few_empty_pages_in_a_row_are_all_there_can_be(
        keys in btree_set(a_key(), 0..200),
        range in a_range(),
        limit in 1_u32..30,
    ) {
        let server = Server { keys, value: Bytes::new() };
        let request = keys_only(range).with_limit(NonZeroU32::new(limit).unwrap());
        let listing = server.list(request, |hint| hint);
        prop_assert!(listing.empty_in_a_row <= WIDENING.len() + 1, "{:?}", listing);
        prop_assert!(listing.pages <= (WIDENING.len() + 2) * (listing.keys.len() + 1), "{:?}", listing);
    }
}
