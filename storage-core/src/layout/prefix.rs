use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind};

/// What all keys of a tree begin with: `/caddy` by default.
///
/// It always counts as ending in `/`, so the prefix `/caddy` never covers `/caddy-prod`. Below a prefix there may be others,
/// but not in the `data`, `meta`, `lock`, `session`, `quarantine` or `md` of a tree: `/caddy/data` would share keys with
/// `/caddy`. Below the prefix of a tree in the [layout of caddy-etcd](crate::LayoutKind::CaddyEtcd) there may be none.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyPrefix(Box<str>);

impl KeyPrefix {
    /// Reads a prefix. Slashes at its end are trimmed; `/` alone is the whole store.
    ///
    /// # Errors
    ///
    /// `InvalidConfig` for an empty prefix, an empty component, `.`, `..`, a control character or a backslash.
    pub fn parse(prefix: &str) -> Result<Self, Error> {
        let trimmed = prefix.trim_end_matches('/');
        let components = trimmed.strip_prefix('/').unwrap_or(trimmed);
        let refused = match prefix {
            "" => Some("it is empty"),
            _ if prefix.contains(|c: char| c.is_control()) => Some("it contains a control character"),
            _ if prefix.contains('\\') => Some("it contains a backslash"),
            _ if trimmed.is_empty() => None,
            _ if components.split('/').any(|c| matches!(c, "" | "." | "..")) => {
                Some("it contains an empty component, \".\" or \"..\"")
            }
            _ => None,
        };
        match refused {
            Some(reason) => Err(Error::new(ErrorKind::InvalidConfig)
                .with_detail(format!("{prefix:?} cannot be the prefix of a tree: {reason}"))),
            None => Ok(Self(trimmed.into())),
        }
    }

    /// The prefix without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for KeyPrefix {
    fn default() -> Self {
        Self("/caddy".into())
    }
}

impl FromStr for KeyPrefix {
    type Err = Error;

    fn from_str(prefix: &str) -> Result<Self, Error> {
        Self::parse(prefix)
    }
}

impl fmt::Display for KeyPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for KeyPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_at_the_end_do_not_matter() {
        assert_eq!(KeyPrefix::parse("/caddy/").unwrap(), KeyPrefix::default());
        assert_eq!(KeyPrefix::parse("kvfs").unwrap().as_str(), "kvfs");
        assert_eq!(KeyPrefix::parse("/").unwrap().as_str(), "");
    }

    #[test]
    fn irregular_prefixes_are_refused() {
        for prefix in ["", "a//b", "//a", "/a/../b", ".", "a\0", "a\\b"] {
            assert_eq!(KeyPrefix::parse(prefix).unwrap_err().kind(), ErrorKind::InvalidConfig, "{prefix:?}");
        }
    }
}
