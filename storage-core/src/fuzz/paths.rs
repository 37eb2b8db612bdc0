use bad_input::{Pair, Pairs, Seen, Verdict, fuzz};

use super::check_error;
use crate::error::ErrorKind;
use crate::path::FilePath;

#[test]
fn accepted_paths_are_regular_and_mean_what_they_spell() {
    let mut seen = Seen::default();
    fuzz!(Pairs, |pair: &Pair| {
        let parsed = [&pair.one, &pair.other].map(|spelling| parsed(spelling, &mut seen));
        if let [Some(one), Some(other)] = &parsed {
            check_pair(one, other);
        }
        if parsed.iter().all(Option::is_some) { Verdict::Accepted } else { Verdict::Refused }
    });
}

/// Parses a path and checks what became of it.
fn parsed(spelling: &str, seen: &mut Seen) -> Option<FilePath> {
    match FilePath::parse(spelling) {
        Ok(path) => {
            assert!(is_regular(spelling), "this is no path");
            check_accepted(&path, spelling);
            seen.note(path.as_str(), spelling.trim_matches('/'));
            Some(path)
        }
        Err(error) => {
            assert!(!is_regular(spelling), "this is a path: {error}");
            assert_eq!(error.kind(), ErrorKind::InvalidPath);
            assert_eq!(error.path(), Some(spelling));
            check_error(&error, spelling);
            None
        }
    }
}

/// The rules of the contract, FS-PATH-1 to FS-PATH-3, once more and one by one.
fn is_regular(spelling: &str) -> bool {
    let bytes = spelling.as_bytes();
    let start = bytes.iter().take_while(|byte| **byte == b'/').count();
    let end = bytes.len() - bytes[start..].iter().rev().take_while(|byte| **byte == b'/').count();
    let path = &bytes[start..end];
    let components: Vec<&[u8]> =
        if path.is_empty() { Vec::new() } else { path.split(|byte| *byte == b'/').collect() };
    let is_control = |c: char| matches!(u32::from(c), 0..=0x1f | 0x7f..=0x9f);
    path.len() <= 1024
        && components.len() <= 64
        && components.iter().all(|component| (1..=255).contains(&component.len()))
        && !components.contains(&b".".as_slice())
        && !components.contains(&b"..".as_slice())
        && !spelling.chars().any(|c| c == '\\' || is_control(c))
}

fn check_accepted(path: &FilePath, spelling: &str) {
    assert_eq!(path.as_str(), spelling.trim_matches('/'));
    for again in [path.as_str().to_owned(), format!("/{path}/"), path.to_string()] {
        assert_eq!(FilePath::parse(&again).as_ref().ok(), Some(path), "it is read again as it is shown");
    }
    let components: Vec<&str> = path.components().collect();
    assert_eq!(components.join("/"), path.as_str());
    assert_eq!(path.is_root(), components.is_empty());
    assert_eq!(path.name(), components.last().copied().unwrap_or_default());
    let parent = path.parent();
    assert_eq!(parent.is_none(), path.is_root());
    if let Some(parent) = parent {
        assert!(parent.is_above(path));
        assert_eq!(parent.join(path.name()).as_ref().ok(), Some(path));
    }
    let ancestors: Vec<FilePath> = path.ancestors().collect();
    assert_eq!(ancestors.len(), components.len().saturating_sub(1));
    assert!(ancestors.iter().all(|ancestor| ancestor.is_above(path) && !path.is_above(ancestor)));
}

fn check_pair(one: &FilePath, other: &FilePath) {
    let (above, below): (Vec<&str>, Vec<&str>) = (one.components().collect(), other.components().collect());
    let is_above = below.len() > above.len() && below[..above.len()] == above[..];
    assert_eq!(one.is_above(other), is_above, "being above goes by component");
    assert_eq!(other.ancestors().any(|ancestor| ancestor == *one), is_above && !one.is_root());
    assert_eq!(one == other, above == below);
    // Joining never leaves the directory, nor turns what was joined into something else.
    if let Ok(joined) = one.join(other.as_str()) {
        assert!(joined == *one || one.is_above(&joined));
        assert!(joined.components().eq(above.iter().chain(&below).copied()));
    }
}
