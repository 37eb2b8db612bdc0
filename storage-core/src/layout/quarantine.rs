//! The keys of files that were moved to the quarantine.

use super::{Half, Layout};
use crate::kv::{Key, KeyRange};
use crate::path::FilePath;
use crate::quarantine::QuarantineId;

/// What a key in the quarantine is of the file that was moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum QuarantinePart {
    /// The half of the file that lay at this path.
    Half(Half, FilePath),
    /// The record of when, why and by whom it was moved.
    Record,
}

impl Layout {
    /// All that was moved.
    pub(crate) fn quarantine(&self) -> KeyRange {
        KeyRange::prefix(self.own("quarantine/").into_bytes())
    }

    /// All that is left of one file that was moved.
    pub(crate) fn quarantined(&self, id: QuarantineId) -> KeyRange {
        KeyRange::prefix(self.own(&format!("quarantine/{id}/")).into_bytes())
    }

    /// A half of a file that was moved from this path.
    pub(crate) fn quarantined_half(&self, id: QuarantineId, half: Half, path: &FilePath) -> Key {
        let half = match half {
            Half::Data => "data",
            Half::Meta => "meta",
        };
        self.own(&format!("quarantine/{id}/{half}/{path}"))
    }

    /// The record of when, why and by whom a file was moved.
    pub(crate) fn quarantine_record(&self, id: QuarantineId) -> Key {
        self.own(&format!("quarantine/{id}/record"))
    }

    /// What a key of the quarantine is; `None` for one that is none, whoever put it there.
    pub(crate) fn of_quarantined(&self, key: &Key) -> Option<(QuarantineId, QuarantinePart)> {
        let rest = key.as_bytes().strip_prefix(self.quarantine().start().as_bytes())?;
        let (id, part) = std::str::from_utf8(rest).ok()?.split_once('/')?;
        let id: QuarantineId = id.parse().ok()?;
        if part == "record" {
            return Some((id, QuarantinePart::Record));
        }
        let (half, spelling) = part.split_once('/')?;
        let half = match half {
            "data" => Half::Data,
            "meta" => Half::Meta,
            _ => return None,
        };
        let path =
            FilePath::parse(spelling).ok().filter(|path| !path.is_root() && path.as_str() == spelling)?;
        Some((id, QuarantinePart::Half(half, path)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{KeyPrefix, LayoutKind};

    #[test]
    fn the_keys_of_the_quarantine_are_fixed_and_found_again() {
        for (kind, place) in [
            (LayoutKind::Native, "/caddy/quarantine"),
            // The Go module lists nothing there, and none of its keys has an empty component.
            (LayoutKind::CaddyEtcd, "/caddy/lock/md//quarantine"),
        ] {
            check_keys(&Layout::new(kind, KeyPrefix::default()), place);
        }
    }

    fn check_keys(layout: &Layout, all: &str) {
        let id: QuarantineId = "0123456789abcdef".parse().unwrap();
        let path = FilePath::parse("a/record").unwrap();
        let place = format!("{all}/0123456789abcdef");
        for (key, expected, part) in [
            (layout.quarantine_record(id), "record", QuarantinePart::Record),
            (
                layout.quarantined_half(id, Half::Data, &path),
                "data/a/record",
                QuarantinePart::Half(Half::Data, path.clone()),
            ),
            (
                layout.quarantined_half(id, Half::Meta, &path),
                "meta/a/record",
                QuarantinePart::Half(Half::Meta, path.clone()),
            ),
        ] {
            assert_eq!(key, Key::new(format!("{place}/{expected}")));
            assert_eq!(layout.of_quarantined(&key), Some((id, part)));
            assert!(layout.quarantined(id).contains(&key) && layout.quarantine().contains(&key));
        }
        for foreign in ["", "/", "/data/", "/data/a//b", "/other/a", "/records"] {
            assert_eq!(layout.of_quarantined(&Key::new(format!("{place}{foreign}"))), None, "{foreign}");
        }
        for foreign in ["0123456789ABCDEF", "123", "0123456789abcdeg"] {
            assert_eq!(layout.of_quarantined(&Key::new(format!("{all}/{foreign}/record"))), None);
        }
    }
}
