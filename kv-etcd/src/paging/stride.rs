use std::cmp::Ordering;

use storage_core::kv::{Key, KeyRange};

/// A distance between keys: how far apart two of the same beginning are, as numbers of eight bytes behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stride {
    /// How many bytes the beginning has.
    pub(super) depth: u16,
    /// The distance. Never zero.
    pub(super) step: u64,
}

/// How many bytes of a key are taken for a number.
const WINDOW: usize = size_of::<u64>();

impl Stride {
    /// The distance from one key to a greater one, or `None` if they have too long a beginning in common.
    pub(super) fn between(lesser: &Key, greater: &Key) -> Option<Self> {
        let (lesser, greater) = (lesser.as_bytes(), greater.as_bytes());
        let depth = lesser.iter().zip(greater).take_while(|(a, b)| a == b).count();
        let step = window(greater, depth).saturating_sub(window(lesser, depth));
        Some(Self { depth: u16::try_from(depth).ok()?, step: step.max(1) })
    }

    /// This distance times a fraction. A distance too long for its beginning becomes one behind a shorter beginning.
    pub(super) fn scaled(self, numerator: u64, denominator: u64) -> Self {
        let mut step = u128::from(self.step) * u128::from(numerator) / u128::from(denominator.max(1));
        let mut depth = self.depth;
        while u64::try_from(step).is_err() && depth > 0 {
            depth -= 1;
            step >>= 8;
        }
        Self { depth, step: u64::try_from(step).unwrap_or(u64::MAX).max(1) }
    }

    /// This distance behind a beginning that is some bytes shorter.
    pub(super) fn widened(self, bytes: u8) -> Self {
        if self.depth == 0 {
            return Self { depth: 0, step: u64::MAX };
        }
        Self { depth: self.depth.saturating_sub(bytes.into()), ..self }
    }

    /// The key at this distance from another: greater than it, or `None` if there is none.
    ///
    /// If no key of the same beginning is that far away, the first key behind all of them.
    pub(super) fn end_from(self, start: &Key) -> Option<Key> {
        let start = start.as_bytes();
        let depth = usize::from(self.depth).min(start.len());
        let beginning = &start[..depth];
        match window(start, depth).checked_add(self.step) {
            Some(number) => {
                let mut end = [beginning, &number.to_be_bytes()].concat();
                // Shorter, and still greater: the last byte that is left is above that of the start.
                while end.len() > depth && end.last() == Some(&0) {
                    end.pop();
                }
                Some(Key::new(end))
            }
            None => KeyRange::prefix(beginning.to_vec()).end().cloned(),
        }
    }

    /// This distance for going on from where it led. If that was out of all keys of the beginning, it becomes the
    /// distance to the next sibling.
    pub(super) fn at(self, reached: &Key) -> Self {
        let len = reached.as_bytes().len();
        match len.cmp(&usize::from(self.depth)) {
            Ordering::Greater => self,
            Ordering::Equal | Ordering::Less => Self {
                // At most the depth that there was, so it fits.
                depth: u16::try_from(len.saturating_sub(1)).unwrap_or(0),
                step: 1 << (8 * (WINDOW - 1)),
            },
        }
    }
}

/// Eight bytes of a key as a number; behind its end there are zeros.
fn window(key: &[u8], depth: usize) -> u64 {
    let mut bytes = [0; WINDOW];
    let rest = key.get(depth..).unwrap_or_default();
    let len = rest.len().min(WINDOW);
    bytes[..len].copy_from_slice(&rest[..len]);
    u64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(bytes: &[u8]) -> Key {
        Key::new(bytes.to_vec())
    }

    #[test]
    fn the_end_lies_as_far_behind_the_start_as_the_keys_lay_apart() {
        let stride = Stride::between(&key(b"p/10"), &key(b"p/30")).unwrap();
        assert_eq!(stride.depth, 2);
        assert_eq!(stride.end_from(&key(b"p/31")), Some(key(b"p/51")));
        assert_eq!(stride.scaled(1, 2).end_from(&key(b"p/31")), Some(key(b"p/41")));
    }

    #[test]
    fn where_the_beginning_has_no_key_that_far_away_its_sibling_is_next() {
        let stride = Stride { depth: 2, step: u64::MAX };
        let sibling = stride.end_from(&key(b"p/31")).unwrap();
        assert_eq!(sibling, key(b"p0"));
        assert_eq!(stride.at(&sibling), Stride { depth: 1, step: 1 << 56 });
        assert_eq!(stride.at(&sibling).end_from(&sibling), Some(key(b"p1")));
    }

    #[test]
    fn nothing_lies_behind_the_last_key() {
        let stride = Stride { depth: 3, step: u64::MAX };
        assert_eq!(stride.end_from(&key(b"\xff\xff\xff\xff")), None);
        assert_eq!(Stride { depth: 0, step: u64::MAX }.end_from(&key(b"a")), None);
    }

    #[test]
    fn a_distance_that_outgrows_its_beginning_moves_to_a_shorter_one() {
        let stride = Stride { depth: 5, step: 1 << 60 };
        assert_eq!(stride.scaled(256, 1), Stride { depth: 4, step: 1 << 60 });
        assert_eq!(Stride { depth: 0, step: 1 << 60 }.scaled(256, 1), Stride { depth: 0, step: u64::MAX });
        assert_eq!(Stride { depth: 3, step: 1 }.scaled(1, 9).step, 1);
    }
}
