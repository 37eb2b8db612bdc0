//! What of a local directory is no file of a tree.
//!
//! certmagic's `FileStorage` keeps each file at its path below a root, and beside them `locks/NAME.lock`, and for a
//! moment files with random names that take their own when they are whole. What was ended meanwhile stays.

use std::path::Path;

/// Knows what is left out of one directory.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeftOut {
    /// Random names are looked for in directories of certmagic's only: digits may be anybody's name.
    is_certmagics: bool,
}

const LOCKS: &str = "locks";
const LOCK_SUFFIX: &str = ".lock";

/// What there is in a directory of certmagic's, and hardly in another.
const MARKS: [&str; 4] = ["acme", "certificates", "last_clean.json", LOCKS];

impl LeftOut {
    pub(super) fn of(root: &Path) -> Self {
        Self { is_certmagics: MARKS.iter().any(|mark| root.join(mark).exists()) }
    }

    /// Why what is at this path below the root is left out.
    pub(super) fn reason(self, path: &str) -> Option<&'static str> {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        if path.split('/').any(|component| component.starts_with('.')) {
            Some("a dot file")
        } else if directory == LOCKS && name.ends_with(LOCK_SUFFIX) {
            Some("a lock of certmagic's")
        } else if self.is_certmagics && is_random(name) {
            Some("a temporary file of certmagic's")
        } else {
            None
        }
    }
}

/// Whether a name is what Go's `os.CreateTemp` calls a file when it is given no pattern: a random number of 32 bits. Of
/// such numbers one in 40,000 has fewer digits than are asked for here.
fn is_random(name: &str) -> bool {
    name.len() >= 6
        && !name.starts_with('0')
        && name.bytes().all(|byte| byte.is_ascii_digit())
        && name.parse::<u32>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTMAGIC: LeftOut = LeftOut { is_certmagics: true };
    const OTHER: LeftOut = LeftOut { is_certmagics: false };

    #[test]
    fn locks_are_those_of_the_root_and_nothing_else_of_that_name() {
        for path in ["locks/issue_cert_example.com.lock", "locks/.lock"] {
            assert!(OTHER.reason(path).is_some(), "{path}");
        }
        for path in ["locks/readme", "a/locks/x.lock", "locks/a/x.lock", "x.lock", "locks", "mylocks/x.lock"]
        {
            assert_eq!(CERTMAGIC.reason(path), None, "{path}");
        }
    }

    #[test]
    fn dot_files_are_left_out_at_any_depth() {
        for path in [".x", "a/.x", ".a/x", "a/.b/c"] {
            assert_eq!(OTHER.reason(path), Some("a dot file"), "{path}");
        }
        assert_eq!(OTHER.reason("a.b/c."), None);
    }

    #[test]
    fn random_names_are_temporary_in_directories_of_certmagics_only() {
        for name in ["123456", "4294967295", "certificates/ca/example.com/3141592653"] {
            assert!(CERTMAGIC.reason(name).is_some(), "{name}");
            assert_eq!(OTHER.reason(name), None, "{name}");
        }
        for name in ["12345", "0123456", "4294967296", "99999999999", "1234567.key", "a1234567", "+1234567"] {
            assert_eq!(CERTMAGIC.reason(name), None, "{name}");
        }
    }

    #[test]
    fn a_directory_of_certmagics_is_known_by_what_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("sites")).unwrap();
        assert!(!LeftOut::of(folder.path()).is_certmagics);
        std::fs::write(folder.path().join("last_clean.json"), "{}").unwrap();
        assert!(LeftOut::of(folder.path()).is_certmagics);
    }
}
