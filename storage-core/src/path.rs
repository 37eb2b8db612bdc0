use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::error::{Error, ErrorKind};

/// A path in the file tree: UTF-8 components separated by `/`, or the root, which has none.
///
/// Slashes around a path are trimmed. Anything else irregular is refused rather than repaired: empty components, `.`
/// and `..`, control characters (NUL among them), backslashes, a component over [`MAX_COMPONENT_BYTES`], a path over
/// [`MAX_BYTES`] or with more than [`MAX_COMPONENTS`]. So two accepted spellings name the same file only if they differ
/// in nothing but the slashes around them, and no path leads out of its tree. Cloning one is cheap: it is shared.
///
/// [`MAX_BYTES`]: FilePath::MAX_BYTES
/// [`MAX_COMPONENT_BYTES`]: FilePath::MAX_COMPONENT_BYTES
/// [`MAX_COMPONENTS`]: FilePath::MAX_COMPONENTS
///
/// ```
/// use storage_core::FilePath;
///
/// let path: FilePath = "/sites/example.com/".parse()?;
/// assert_eq!(path.as_str(), "sites/example.com");
/// assert!("sites/../keys".parse::<FilePath>().is_err());
/// # Ok::<(), storage_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilePath(Arc<str>);

impl FilePath {
    /// The most bytes in a path, without the slashes around it.
    pub const MAX_BYTES: usize = 1024;
    /// The most bytes in a component, as in common file systems.
    pub const MAX_COMPONENT_BYTES: usize = 255;
    /// The most components in a path. A store checks one key for each, and all of them have to fit into a transaction.
    pub const MAX_COMPONENTS: usize = 64;

    /// The root of the tree, `""`.
    pub fn root() -> Self {
        Self("".into())
    }

    /// Reads a path.
    ///
    /// # Errors
    ///
    /// `InvalidPath` with the reason.
    pub fn parse(path: &str) -> Result<Self, Error> {
        let trimmed = path.trim_matches('/');
        match irregularity(trimmed) {
            Some(reason) => Err(Error::new(ErrorKind::InvalidPath).with_path(path).with_detail(reason)),
            None => Ok(Self(trimmed.into())),
        }
    }

    /// The path of something but the root, if it is one that is spelled without slashes around it.
    pub(crate) fn is_plain(spelling: &str) -> bool {
        !spelling.is_empty() && irregularity(spelling).is_none()
    }

    /// What is known to be a path: [plain](Self::is_plain), or the beginning of one up to a slash.
    pub(crate) fn known(path: &str) -> Self {
        debug_assert!(Self::is_plain(path), "{path:?} is no path");
        Self(path.into())
    }

    /// The path without slashes around it; empty for the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Its components, from the top; none for the root.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/').filter(|component| !component.is_empty())
    }

    /// Its last component; empty for the root.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The directory it lies in, or `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        Some(Self(self.0.rsplit_once('/').map_or("", |(parent, _)| parent).into()))
    }

    /// The directories above it, from the top, without the root and without itself.
    pub fn ancestors(&self) -> impl Iterator<Item = Self> {
        self.beginnings().map(Self::known)
    }

    /// The paths of those.
    pub(crate) fn beginnings(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('/').map(|(end, _)| &self.0[..end])
    }

    /// The path of something below this one.
    ///
    /// # Errors
    ///
    /// `InvalidPath` when the two together are no path.
    pub fn join(&self, below: &str) -> Result<Self, Error> {
        Self::parse(&format!("{}/{}", self.0, below.trim_matches('/')))
    }

    /// Whether `other` lies below this path, by component: `foo` is above `foo/bar`, never above `foobar`, and not
    /// above itself. The root is above everything else.
    pub fn is_above(&self, other: &Self) -> bool {
        if self.is_root() {
            return !other.is_root();
        }
        other.0.strip_prefix(&*self.0).is_some_and(|rest| rest.starts_with('/'))
    }
}

impl FromStr for FilePath {
    type Err = Error;

    fn from_str(path: &str) -> Result<Self, Error> {
        Self::parse(path)
    }
}

impl AsRef<str> for FilePath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

/// Whether this certainly is a path: nearly all are of this kind, and every name in a listing is looked at.
fn is_usual(trimmed: &str) -> bool {
    let mut components = 1;
    let mut length = 0;
    let mut dots = 0;
    for byte in trimmed.bytes() {
        match byte {
            b'/' if length == dots && dots <= 2 => return false,
            b'/' => {
                components += 1;
                (length, dots) = (0, 0);
                continue;
            }
            b'.' => dots += 1,
            b'\\' => return false,
            b' '..=b'~' => {}
            _ => return false,
        }
        length += 1;
        if length > FilePath::MAX_COMPONENT_BYTES {
            return false;
        }
    }
    !(length == dots && dots <= 2)
        && components <= FilePath::MAX_COMPONENTS
        && trimmed.len() <= FilePath::MAX_BYTES
}

/// Why this is no path, if it is none.
fn irregularity(trimmed: &str) -> Option<String> {
    if is_usual(trimmed) { None } else { irregularity_of_any(trimmed) }
}

fn irregularity_of_any(trimmed: &str) -> Option<String> {
    if trimmed.len() > FilePath::MAX_BYTES {
        return Some(format!("{} bytes long, at most {} are allowed", trimmed.len(), FilePath::MAX_BYTES));
    }
    if let Some(c) = trimmed.chars().find(|c| c.is_control() || *c == '\\') {
        let what = if c == '\\' { "a backslash" } else { "a control character" };
        return Some(format!("contains {what}, {c:?}"));
    }
    if trimmed.is_empty() {
        return None;
    }
    let components = trimmed.split('/').count();
    if components > FilePath::MAX_COMPONENTS {
        return Some(format!("{components} components, at most {} are allowed", FilePath::MAX_COMPONENTS));
    }
    trimmed.split('/').find_map(|component| match component {
        "" => Some("contains an empty component, \"//\"".to_owned()),
        "." | ".." => Some(format!("contains the component {component:?}")),
        _ if component.len() > FilePath::MAX_COMPONENT_BYTES => Some(format!(
            "contains a component of {} bytes, at most {} are allowed",
            component.len(),
            FilePath::MAX_COMPONENT_BYTES
        )),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn path(path: &str) -> FilePath {
        FilePath::parse(path).unwrap()
    }

    #[test]
    fn slashes_around_a_path_are_trimmed() {
        for spelling in ["a/b", "/a/b", "a/b/", "///a/b//"] {
            assert_eq!(path(spelling).as_str(), "a/b");
        }
        for spelling in ["", "/", "///"] {
            assert!(path(spelling).is_root());
        }
    }

    #[test]
    fn irregular_paths_are_refused_with_the_reason() {
        let long = "x".repeat(256);
        let deep = ["x"; 65].join("/");
        let wide = format!("{}/y", ["x".repeat(255).as_str(); 4].join("/"));
        for (spelling, reason) in [
            ("a//b", "empty component"),
            (".", "\".\""),
            ("a/./b", "\".\""),
            ("..", "\"..\""),
            ("a/../b", "\"..\""),
            ("../a", "\"..\""),
            ("a\0b", "control character"),
            ("a\nb", "control character"),
            ("a\u{85}b", "control character"),
            ("a\\b", "backslash"),
            (long.as_str(), "256 bytes"),
            (deep.as_str(), "65 components"),
            (wide.as_str(), "1025 bytes"),
        ] {
            let error = FilePath::parse(spelling).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidPath, "{spelling:?}");
            assert!(error.to_string().contains(reason), "{error} should contain {reason}");
            assert!(!error.to_string().contains('\n'), "an error is one line");
        }
    }

    #[test]
    fn what_is_unusual_but_harmless_is_a_path() {
        for spelling in
            ["...", "..a", "a.", " ", "a b", "*", "_", "%2f", "ä/日本", "md/x", "lock/y", "data", "-"]
        {
            assert_eq!(path(spelling).as_str(), spelling);
        }
        path(&"x".repeat(255));
        path(&["x"; 64].join("/"));
    }

    #[test]
    fn ancestors_go_from_the_top_to_the_parent() {
        let ancestors: Vec<_> = path("a/b/c").ancestors().map(|p| p.to_string()).collect();
        assert_eq!(ancestors, ["a", "a/b"]);
        assert_eq!(path("a").ancestors().count(), 0);
        assert_eq!(path("").ancestors().count(), 0);
        assert_eq!(path("a/b").parent(), Some(path("a")));
        assert_eq!(path("a").parent(), Some(FilePath::root()));
        assert_eq!(FilePath::root().parent(), None);
    }

    #[test]
    fn being_above_goes_by_component() {
        assert!(path("foo").is_above(&path("foo/bar")));
        assert!(!path("foo").is_above(&path("foobar")) && !path("foo").is_above(&path("foo")));
        assert!(path("").is_above(&path("foo")) && !path("").is_above(&path("")));
    }

    proptest! {
        #[test]
        fn what_is_usual_is_a_path(spelling in "[a./\\\\\u{7f}\u{0}ä ~-]{0,12}") {
            let usual = is_usual(&spelling);
            prop_assert!(!usual || irregularity_of_any(&spelling).is_none());
            prop_assert_eq!(usual, spelling.is_ascii() && !spelling.is_empty() && irregularity_of_any(&spelling).is_none());
        }

        #[test]
        fn every_accepted_path_is_made_of_its_components(spelling in "[a./\\\\\u{0}ä-]{0,12}") {
            if let Ok(path) = FilePath::parse(&spelling) {
                let components: Vec<_> = path.components().collect();
                prop_assert_eq!(components.join("/"), path.as_str());
                prop_assert!(components.iter().all(|c| !c.is_empty() && *c != "." && *c != ".."));
                prop_assert_eq!(FilePath::parse(path.as_str()).unwrap(), path);
            }
        }
    }
}
