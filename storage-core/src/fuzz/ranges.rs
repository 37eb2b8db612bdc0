use bad_input::{KeyBytes, Verdict, fuzz};

use crate::kv::{Key, KeyRange};

/// Three keys, of which the third is mostly looked for in ranges between the others.
type Keys = (Vec<u8>, Vec<u8>, Vec<u8>);

#[test]
fn ranges_hold_what_their_definition_says() {
    fuzz!((KeyBytes, KeyBytes, KeyBytes), |(one, other, key): &Keys| {
        let [start, end, key] = [one, other, key].map(|bytes| Key::new(bytes.clone()));
        check_prefix(&start, &key);
        check_neighbours(&start, &key);
        check_between(&start, &end, &key);
        Verdict::Accepted
    });
}

fn check_prefix(prefix: &Key, key: &Key) {
    let range = KeyRange::prefix(prefix.as_bytes().to_vec());
    let begins = |key: &Key| key.as_bytes().starts_with(prefix.as_bytes());
    let longer = Key::new([prefix.as_bytes(), key.as_bytes()].concat());
    // Of the keys that do not begin so, those at the end are the ones that might slip in.
    let behind = range.end().into_iter().flat_map(|end| [end.clone(), end.successor()]);
    for key in [key.clone(), longer].into_iter().chain(behind) {
        assert_eq!(range.contains(&key), begins(&key), "{key:?} in {range:?}, which begins with {prefix:?}");
    }
    assert!(!range.is_empty());
}

fn check_neighbours(start: &Key, key: &Key) {
    let next = start.successor();
    assert!(*start < next && !(start < key && *key < next), "{key:?} lies between {start:?} and {next:?}");
    let single = KeyRange::single(start.clone());
    assert_eq!(single.contains(key), start == key);
    assert_eq!(single.as_single(), Some(start));
}

fn check_between(start: &Key, end: &Key, key: &Key) {
    let range = KeyRange::new(start.clone(), end.clone());
    let open = KeyRange::from(start.clone());
    assert_eq!(range.contains(key), start <= key && key < end);
    assert_eq!(open.contains(key), start <= key);
    assert_eq!(range.is_empty(), end <= start);
    assert!(!range.is_empty() || !range.contains(key));
    assert_eq!(range.as_single().is_some(), *end == start.successor());
    assert_eq!(open.as_single(), None);
    for whole in [&range, &open] {
        let rest = whole.starting_at(end);
        assert_eq!(
            rest.contains(key),
            whole.contains(key) && key >= end,
            "the rest of {whole:?} from {end:?}"
        );
        let rest = whole.starting_at(key);
        assert_eq!(rest.contains(start), whole.contains(start) && start >= key);
    }
}
