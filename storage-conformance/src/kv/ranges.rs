//! Reading ranges, page by page.

use bytes::Bytes;
use storage_core::kv::{
    BackendErrorKind, Cursor, Get, Key, KeyRange, KvBackendExt, Op, OpReply, Projection, RangeRequest,
};

use super::support::{Client, limit, matched, ops, put_all, read, state};
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["KV-RANGE-1"], a_range_has_its_start_and_not_its_end),
    case!(["KV-RANGE-2"], entries_come_in_byte_order),
    case!(["KV-RANGE-3"], a_prefix_with_a_slash_covers_no_other_name),
    case!(["KV-RANGE-4", "KV-RANGE-5", "KV-RANGE-6"], paging_delivers_every_entry_once),
    case!(["KV-RANGE-4", "KV-TXN-11"], a_long_range_is_read_whole_without_a_limit),
    case!(["KV-RANGE-4", "KV-RANGE-6"], unevenly_spread_keys_are_all_found),
    case!(["KV-RANGE-4", "KV-RANGE-10"], a_range_without_keys_ends),
    case!(["KV-RANGE-5"], a_page_of_one_entry),
    case!(["KV-RANGE-7"], a_page_may_begin_at_any_key),
    case!(["KV-RANGE-7"], the_hint_of_a_cursor_changes_no_entry),
    case!(["KV-RANGE-8"], keys_alone_come_without_values),
    case!(["KV-RANGE-9"], a_range_that_ends_before_it_starts_is_empty),
    case!(["KV-RANGE-11"], a_range_without_end_goes_to_the_last_key),
    case!(["KV-RANGE-12"], a_range_of_large_values_is_read_page_by_page),
];

async fn a_range_has_its_start_and_not_its_end(context: Context) {
    let client = context.client().await;
    put_names(&client, &context, ["a", "b", "b\0", "c", "d"]).await;
    let keys = |names: &[&str]| names.iter().map(|name| context.key(name)).collect::<Vec<_>>();
    for (start, end, expected) in [
        ("b", "d", keys(&["b", "b\0", "c"])),
        ("b", "c", keys(&["b", "b\0"])),
        ("b", "b\0", keys(&["b"])),
        ("aa", "bb", keys(&["b", "b\0"])),
        ("a", "z", keys(&["a", "b", "b\0", "c", "d"])),
        ("b\0\0", "c", keys(&[])),
    ] {
        assert_eq!(state(&client, context.between(start, end)).await.keys(), expected, "{start:?}..{end:?}");
    }
}

async fn entries_come_in_byte_order(context: Context) {
    let client = context.client().await;
    let ordered: [&[u8]; 14] = [
        b"\0", b"\0\0", b"\0\xff", b"\n", b"/", b"A", b"a", b"a\0", b"a/", b"aa", b"a\xff", b"\x7f", b"\x80",
        b"\xff",
    ];
    let keys = ordered.map(|name| context.key(name));
    // Three steps at a time visit all fourteen, neither in their order nor in its reverse.
    for step in 0..keys.len() {
        client.put(keys[step * 3 % keys.len()].clone(), Bytes::from("v")).await.unwrap();
    }
    assert_eq!(state(&client, context.all()).await.keys(), keys);
}

async fn a_prefix_with_a_slash_covers_no_other_name(context: Context) {
    let client = context.client().await;
    put_names(&client, &context, ["fo", "foo", "foo.", "foo/a", "foo/b/c", "foo0", "foobar"]).await;
    let children = ["foo/a", "foo/b/c"].map(|name| context.key(name));
    assert_eq!(state(&client, context.below("foo/")).await.keys(), children);
    assert_eq!(state(&client, context.below("foo")).await.keys().len(), 6);
    assert_eq!(state(&client, context.below("foo/b/c/")).await.keys(), []);
}

async fn paging_delivers_every_entry_once(context: Context) {
    let client = context.client().await;
    let names: Vec<_> = (0..250).map(|number| format!("dir{}/file{number}", number % 7)).collect();
    let mut keys = put_names(&client, &context, &names).await;
    put_names(&client, &context, ["dir", "dis"]).await;
    keys.sort();
    let whole = RangeRequest::new(context.below("dir").starting_at(&context.key("dir0")));
    assert_eq!(read(&client, whole.clone()).await.unwrap().keys(), keys, "without a limit");
    for size in [1, 7, 249, 250, 251, 100_000, u32::MAX] {
        let paged = read(&client, whole.clone().with_limit(limit(size))).await.unwrap();
        assert_eq!(paged.keys(), keys, "pages of {size}");
    }
}

async fn a_long_range_is_read_whole_without_a_limit(context: Context) {
    let client = context.client().await;
    let names: Vec<_> = (0..2500).map(|number| format!("{number:04}")).collect();
    let keys = put_names(&client, &context, &names).await;
    assert_eq!(state(&client, context.all()).await.keys(), keys);
    let (_, replies) = matched(&client, ops([Op::Get(Get::range(context.all()))])).await;
    let [OpReply::Get(reply)] = &replies[..] else {
        panic!("a read is answered with what was read: {replies:?}")
    };
    assert_eq!(
        (reply.entries.len(), reply.more),
        (keys.len(), false),
        "a read in a transaction is one answer"
    );
}

/// A store that bounds its requests by guessing where keys lie must guess badly here without losing any.
async fn unevenly_spread_keys_are_all_found(context: Context) {
    let client = context.client().await;
    let nested = (1..80).map(|depth| "x".repeat(depth).into_bytes());
    let crowd = (0..100u8).map(|number| [b"x/crowd/".as_slice(), &[number, 0]].concat());
    let far = (0..20u8).map(|number| [b"y".as_slice(), &[0xff; 20], &[number * 7]].concat());
    let names: Vec<_> = nested.chain(crowd).chain(far).chain([b"z".to_vec()]).collect();
    let mut keys = put_names(&client, &context, &names).await;
    keys.sort();
    for size in [1, 3, 50] {
        let paged = read(&client, RangeRequest::new(context.all()).with_limit(limit(size))).await.unwrap();
        assert_eq!(paged.keys(), keys, "pages of {size}");
    }
}

async fn a_range_without_keys_ends(context: Context) {
    let client = context.client().await;
    put_names(&client, &context, ["a", "c"]).await;
    for range in [context.below("b"), context.between("a\0", "c"), context.below("d/")] {
        assert_eq!(state(&client, range.clone()).await.entries, [], "{range:?}");
    }
    assert_eq!(state(&client, context.all()).await.entries.len(), 2);
}

async fn a_page_of_one_entry(context: Context) {
    let client = context.client().await;
    let keys = put_names(&client, &context, ["a", "b", "c"]).await;
    let mut request = RangeRequest::new(context.all()).with_limit(limit(1));
    let mut found = Vec::new();
    loop {
        let page = client.range(request.clone()).await.unwrap();
        assert!(page.entries.len() <= 1, "{page:?}");
        found.extend(page.entries.into_iter().map(|entry| entry.key));
        let Some(next) = page.next else { break };
        request = request.with_cursor(next);
    }
    assert_eq!(found, keys);
}

async fn a_page_may_begin_at_any_key(context: Context) {
    let client = context.client().await;
    let keys = put_names(&client, &context, ["a", "b", "c", "d", "e"]).await;
    let range = context.between("b", "e");
    for (cursor, expected) in
        [("a", &keys[1..4]), ("b", &keys[1..4]), ("b\0", &keys[2..4]), ("d", &keys[3..4]), ("e", &[])]
    {
        let request = RangeRequest::new(range.clone()).with_cursor(Cursor::at(context.key(cursor)));
        assert_eq!(read(&client, request).await.unwrap().keys(), expected, "from {cursor:?}");
    }
}

async fn the_hint_of_a_cursor_changes_no_entry(context: Context) {
    let client = context.client().await;
    let names: Vec<_> = (0..60).map(|number| format!("n/{number:02}")).collect();
    let keys = put_names(&client, &context, &names).await;
    for hint in [0, 1, 2, 1000, u64::MAX / 2, u64::MAX] {
        let cursor = Cursor { key: context.key("n/20"), hint };
        let request = RangeRequest::new(context.all()).with_cursor(cursor).with_limit(limit(9));
        assert_eq!(read(&client, request).await.unwrap().keys(), keys[20..], "hint {hint}");
    }
}

async fn keys_alone_come_without_values(context: Context) {
    let client = context.client().await;
    put_names(&client, &context, ["a", "b", "c"]).await;
    client.put(context.key("b"), Bytes::from("again")).await.unwrap();
    let mut expected = state(&client, context.all()).await;
    assert_eq!(
        expected.pairs().iter().map(|(_, value)| &value[..]).collect::<Vec<_>>(),
        [&b"a"[..], b"again", b"c"]
    );
    for entry in &mut expected.entries {
        entry.value = Bytes::new();
    }
    let request = RangeRequest::new(context.all()).with_projection(Projection::KeysOnly);
    assert_eq!(read(&client, request).await.unwrap(), expected);
}

/// The ends that are special on the wire of some stores are among them: none, and a single zero byte.
async fn a_range_that_ends_before_it_starts_is_empty(context: Context) {
    let client = context.client().await;
    put_names(&client, &context, ["a", "b", "c"]).await;
    let start = context.key("b");
    let ends = [context.key("b"), context.key("a"), Key::new(Bytes::new()), Key::new(&b"\0"[..])];
    for end in ends {
        let range = KeyRange::new(start.clone(), end);
        assert_eq!(state(&client, range.clone()).await.entries, [], "{range:?}");
    }
    // There is nothing before the first keys either; who may not read them may be told so.
    for (start, end) in [("", ""), ("\0", ""), ("\0", "\0")] {
        let range = KeyRange::new(Key::new(start), Key::new(end));
        match read(&client, RangeRequest::new(range.clone()).with_projection(Projection::KeysOnly)).await {
            Ok(found) => assert_eq!(found.keys(), [], "{range:?}"),
            Err(error) => assert_eq!(error.kind(), BackendErrorKind::PermissionDenied, "{error:?}"),
        }
    }
    assert_eq!(state(&client, context.below("b")).await.entries.len(), 1);
}

/// A user who may see only a part of the store is refused; a silently shortened answer is the error to be found here.
async fn a_range_without_end_goes_to_the_last_key(context: Context) {
    let client = context.client().await;
    let keys = put_names(&client, &context, ["a", "b", "\u{7ff}"]).await;
    let own =
        |found: Vec<Key>| found.into_iter().filter(|key| context.all().contains(key)).collect::<Vec<_>>();
    for (range, expected) in [
        (KeyRange::from(context.key("b")), &keys[1..]),
        (KeyRange::prefix(Bytes::new()), &keys[..]),
        (KeyRange::from(Key::new(Bytes::new())), &keys[..]),
    ] {
        match read(&client, RangeRequest::new(range.clone()).with_projection(Projection::KeysOnly)).await {
            Ok(found) => assert_eq!(own(found.keys()), expected, "{range:?}"),
            Err(error) => assert_eq!(error.kind(), BackendErrorKind::PermissionDenied, "{error:?}"),
        }
    }
    assert_eq!(state(&client, context.all()).await.keys(), keys);
}

async fn a_range_of_large_values_is_read_page_by_page(context: Context) {
    let client = context.client().await;
    let size = client.limits().max_value_bytes.min(client.limits().max_request_bytes / 2).min(1 << 20);
    let values: Vec<_> = (0..12u8).map(|number| Bytes::from(vec![number; size])).collect();
    for (number, value) in values.iter().enumerate() {
        client.put(context.key(format!("{number:02}")), value.clone()).await.unwrap();
    }
    let found = state(&client, context.all()).await;
    let sizes = |values: &mut dyn Iterator<Item = &Bytes>| values.map(Bytes::len).collect::<Vec<_>>();
    let seen = || found.entries.iter().map(|entry| &entry.value);
    assert_eq!(sizes(&mut seen()), sizes(&mut values.iter()), "bytes in each value");
    assert!(seen().eq(&values), "a value is not the one that was put, or not in its place");
}

/// Puts a key of each name, its name as its value, and answers the keys.
async fn put_names<N: AsRef<[u8]>>(
    client: &Client,
    context: &Context,
    names: impl IntoIterator<Item = N>,
) -> Vec<Key> {
    let entry = |name: N| (context.key(&name), Bytes::copy_from_slice(name.as_ref()));
    let entries: Vec<_> = names.into_iter().map(entry).collect();
    put_all(client, &entries).await;
    entries.into_iter().map(|(key, _)| key).collect()
}
