use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// What each of very many keys was made for: finds two things with one key, however far apart they come.
///
/// It keeps digests of 64 bits, so that millions fit; one run in some hundred thousand may be stopped for nothing by two that
/// are equal. When there are [`MOST`](Self::MOST) keys it forgets them and begins anew.
#[derive(Debug, Default)]
pub struct Seen(HashMap<u64, u64>);

impl Seen {
    /// So many keys are remembered, in about 300 MB.
    pub const MOST: usize = 10_000_000;

    /// Notes that the key was made for this.
    ///
    /// # Panics
    ///
    /// If it was made for something else before.
    pub fn note(&mut self, key: impl Hash, made_for: impl Hash) {
        if self.0.len() >= Self::MOST {
            self.0.clear();
        }
        let made_for = digest(&made_for);
        let before = *self.0.entry(digest(&key)).or_insert(made_for);
        assert!(before == made_for, "an earlier input that means something else has led to the same");
    }
}

fn digest(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_may_come_again_for_the_same() {
        let mut seen = Seen::default();
        seen.note("a", 1);
        seen.note("b", 1);
        seen.note("a", 1);
    }

    #[test]
    #[should_panic(expected = "has led to the same")]
    fn a_key_that_comes_again_for_something_else_is_noticed() {
        let mut seen = Seen::default();
        seen.note("a", 1);
        seen.note("b", 2);
        seen.note("a", 2);
    }
}
