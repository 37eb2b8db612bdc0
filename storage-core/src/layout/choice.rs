use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind};

/// How a tree lies in its store. See `docs/format.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LayoutKind {
    /// The layout of this library: contents as they are, no name reserved.
    Native,
    /// That of the Go module caddy-etcd, whose members can share the tree: contents and metadata in base64. No path may
    /// begin with the component `md` or `lock`.
    CaddyEtcd,
}

impl LayoutKind {
    /// Its name in URLs and reports: `native`, `caddy-etcd`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::CaddyEtcd => "caddy-etcd",
        }
    }
}

impl fmt::Display for LayoutKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for LayoutKind {
    type Err = Error;

    /// Reads a name.
    fn from_str(name: &str) -> Result<Self, Error> {
        let known = [Self::Native, Self::CaddyEtcd];
        known.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
            let detail = format!("{name:?} is no layout, known are native and caddy-etcd");
            Error::new(ErrorKind::InvalidConfig).with_detail(detail)
        })
    }
}

/// Which layout a tree is opened with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LayoutChoice {
    /// That of what is in the tree; the native one if nothing is.
    #[default]
    Detect,
    /// This one. A tree of the other is refused.
    Only(LayoutKind),
}

impl From<LayoutKind> for LayoutChoice {
    fn from(kind: LayoutKind) -> Self {
        Self::Only(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_is_found_by_its_name_and_by_no_other() {
        for kind in [LayoutKind::Native, LayoutKind::CaddyEtcd] {
            assert_eq!(kind.to_string().parse::<LayoutKind>().unwrap(), kind);
        }
        let error = "Native".parse::<LayoutKind>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.to_string().contains("\"Native\""), "{error}");
    }
}
