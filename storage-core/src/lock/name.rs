use std::fmt;

use crate::error::{Error, ErrorKind, Result};

/// The name of a lock. Names are independent of the paths of files, and mean nothing: `a/b` is not below `a`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LockName(Box<str>);

impl LockName {
    /// The most bytes in a name.
    const MAX_BYTES: usize = 1024;

    /// Reads a name: anything but the empty one, one with control characters, and one over [`Self::MAX_BYTES`].
    pub(crate) fn parse(name: &str) -> Result<Self> {
        let refused = if name.is_empty() {
            Some("the name of a lock is empty".to_owned())
        } else if name.len() > Self::MAX_BYTES {
            Some(format!("a name of {} bytes, at most {} are allowed", name.len(), Self::MAX_BYTES))
        } else {
            let control = name.chars().find(|c| c.is_control());
            control.map(|c| format!("the name of a lock contains a control character, {c:?}"))
        };
        match refused {
            Some(reason) => Err(Error::new(ErrorKind::InvalidPath).with_path(name).with_detail(reason)),
            None => Ok(Self(name.into())),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for LockName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_anything_that_can_be_printed() {
        for name in ["issue_cert_*.example.com", "a/b", "..", "%2F", " ", "ä\\b", &"x".repeat(1024)] {
            assert_eq!(LockName::parse(name).unwrap().as_str(), name);
        }
        for (name, reason) in [("", "empty"), ("a\nb", "control"), (&*"x".repeat(1025), "1025 bytes")] {
            let error = LockName::parse(name).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidPath);
            assert!(error.to_string().contains(reason), "{error}");
        }
    }
}
