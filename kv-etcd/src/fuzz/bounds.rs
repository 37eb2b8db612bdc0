use bad_input::{KeyBytes, Verdict, fuzz};
use storage_core::kv::{Key, KeyRange};

use crate::bounds::Bounds;

/// Where ranges begin and end, and a key.
type Keys = (Vec<u8>, Vec<u8>, Vec<u8>);

#[test]
fn a_range_covers_the_same_keys_to_etcd_as_to_us() {
    fuzz!((KeyBytes, KeyBytes, KeyBytes), |(one, other, key): &Keys| {
        let [start, end, key] = [one, other, key].map(|bytes| Key::new(bytes.clone()));
        for range in [
            KeyRange::new(start.clone(), end.clone()),
            KeyRange::new(start.clone(), start.successor()),
            KeyRange::from(start.clone()),
            KeyRange::single(start.clone()),
            KeyRange::prefix(start.as_bytes().to_vec()),
            KeyRange::prefix(start.as_bytes().to_vec()).starting_at(&end),
        ] {
            let bounds = Bounds::of(&range);
            assert!(!bounds.key.is_empty(), "etcd has no empty key");
            let next_to_it = [range.start().successor(), start.clone(), end.clone(), end.successor()];
            for key in
                next_to_it.iter().chain(range.end()).chain([&key]).filter(|key| !key.as_bytes().is_empty())
            {
                assert_eq!(
                    covers(&bounds, key.as_bytes()),
                    range.contains(key),
                    "{bounds:?}, {range:?} and {key:?}"
                );
            }
        }
        Verdict::Accepted
    });
}

/// What etcd takes a key and an end for, as its documentation says.
fn covers(Bounds { key, end }: &Bounds, asked: &[u8]) -> bool {
    match end.as_slice() {
        b"" => asked == key,
        b"\0" => asked >= key.as_slice(),
        end => (key.as_slice()..end).contains(&asked),
    }
}
