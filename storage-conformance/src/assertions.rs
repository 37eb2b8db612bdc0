//! Assertions that say what was seen and what was expected.

use std::fmt::Debug;

/// The `assert_eq!` of this crate: what was seen on the left, what the contract demands on the right.
///
/// It stands in the place of the standard one, so that no case can do with "left" and "right" only.
macro_rules! assert_eq {
    ($seen:expr, $expected:expr $(,)?) => {
        $crate::assertions::equal(&$seen, &$expected, || None)
    };
    ($seen:expr, $expected:expr, $($about:tt)+) => {
        $crate::assertions::equal(&$seen, &$expected, || Some(format!($($about)+)))
    };
}

/// Panics unless what was seen equals what was expected; `about` says what it was about.
#[track_caller]
pub(crate) fn equal<S, E>(seen: &S, expected: &E, about: impl FnOnce() -> Option<String>)
where
    S: Debug + PartialEq<E> + ?Sized,
    E: Debug + ?Sized,
{
    if seen != expected {
        let about = about().map_or_else(String::new, |about| format!(": {about}"));
        let (seen, expected) = (format!("{seen:?}"), format!("{expected:?}"));
        let common = seen.chars().zip(expected.chars()).take_while(|(one, other)| one == other).count();
        let (seen, expected) = (excerpt(&seen, common), excerpt(&expected, common));
        panic!("not what the contract demands{about}\n      seen: {seen}\n  expected: {expected}");
    }
}

/// A text that is too long to be read, cut around the first character that differs.
fn excerpt(text: &str, differs_at: usize) -> String {
    const MOST: usize = 2_000;
    const BEFORE: usize = 200;
    let length = text.chars().count();
    if length <= MOST {
        return text.to_owned();
    }
    let start = differs_at.saturating_sub(BEFORE);
    let shown: String = text.chars().skip(start).take(MOST).collect();
    let (before, behind) = (if start > 0 { "…" } else { "" }, if start + MOST < length { "…" } else { "" });
    format!("{before}{shown}{behind} ({length} characters)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "not what the contract demands: round 3\n      seen: [1, 2]\n  expected: [1]")]
    fn both_sides_are_shown_with_what_they_are_about() {
        assert_eq!([1, 2][..], vec![1], "round {}", 3);
    }

    #[test]
    fn a_long_text_is_cut_around_the_difference() {
        let long = "é".repeat(5_000) + "x" + &"é".repeat(5_000);
        let shown = excerpt(&long, 5_000);
        assert!(shown.starts_with("…é") && shown.ends_with("é… (10001 characters)"), "{shown}");
        assert!(shown.contains("éxé"), "{shown}");
        assert_eq!(excerpt("short", 2), "short");
        assert_eq!(excerpt(&long, 0).chars().filter(|char| *char == 'é').count(), 2_000);
    }
}
