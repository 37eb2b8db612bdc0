use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind, Result};

/// The name of a lock: any text but the empty one, without control characters, of at most [`MAX_BYTES`] bytes.
///
/// Names are independent of the paths of files, and mean nothing: `a/b` is not below `a`.
///
/// [`MAX_BYTES`]: LockName::MAX_BYTES
///
/// ```
/// use storage_core::LockName;
///
/// let name: LockName = "issue_cert_*.example.com".parse()?;
/// assert!("".parse::<LockName>().is_err());
/// # Ok::<(), storage_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LockName(Box<str>);

impl LockName {
    /// The most bytes in a name.
    pub const MAX_BYTES: usize = 1024;

    /// Reads a name.
    ///
    /// # Errors
    ///
    /// `InvalidName` with the reason.
    pub fn parse(name: &str) -> Result<Self> {
        let refused = if name.is_empty() {
            Some("it is empty".to_owned())
        } else if name.len() > Self::MAX_BYTES {
            Some(format!("{} bytes long, at most {} are allowed", name.len(), Self::MAX_BYTES))
        } else {
            let control = name.chars().find(|c| c.is_control());
            control.map(|c| format!("contains a control character, {c:?}"))
        };
        match refused {
            Some(reason) => Err(Error::new(ErrorKind::InvalidName).with_path(name).with_detail(reason)),
            None => Ok(Self(name.into())),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LockName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::parse(name)
    }
}

impl fmt::Display for LockName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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
            assert_eq!(error.kind(), ErrorKind::InvalidName);
            assert!(error.to_string().contains(reason), "{error}");
            assert!(!error.to_string().contains('\n'), "an error is one line");
        }
    }
}
