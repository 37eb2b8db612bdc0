//! Of which layout a tree is, by what lies below its prefix.

use super::go::LockRecord;
use super::{KeyPrefix, Layout, LayoutChoice, LayoutKind};
use crate::error::{Error, ErrorKind, Result};
use crate::kv::{Entry, Get, Projection};
use crate::storage::ONE;

/// How many reads tell it.
pub(crate) const READS: usize = 5;

/// The reads that tell it, of one snapshot.
pub(crate) fn reads(prefix: &KeyPrefix) -> [Get; READS] {
    let [native, go] =
        [LayoutKind::Native, LayoutKind::CaddyEtcd].map(|kind| Layout::new(kind, prefix.clone()));
    let one = |get: Get| get.with_limit(ONE);
    [
        Get::key(native.format()),
        Get::key(go.format()),
        one(Get::range(go.all_meta())).with_projection(Projection::KeysOnly),
        Get::key(go.meta_of_format_file()).with_projection(Projection::KeysOnly),
        // A member that runs the Go module takes a lock before it stores anything.
        one(Get::range(native.all_locks())),
    ]
}

/// The layout of the tree in which this was read, and its format key if it has one.
///
/// # Errors
///
/// `Unsupported` for a tree with files of both layouts or of a later format, `InvalidConfig` for one that is not of the
/// layout that was chosen.
pub(crate) fn detect(
    prefix: &KeyPrefix,
    choice: LayoutChoice,
    found: [Vec<Entry>; READS],
) -> Result<(Layout, Option<Entry>)> {
    let [native, go, meta, format_file, lock] = found.map(|entries| entries.into_iter().next());
    let of = |kind| Layout::new(kind, prefix.clone());
    // To the Go module a file may be called like the key that every native tree has; what it stores never looks like one.
    let is_file = format_file.is_some()
        && native.as_ref().is_some_and(|key| of(LayoutKind::Native).check_format(&key.value).is_err());
    let is_native = native.is_some() && !is_file;
    let go_lock = lock.as_ref().is_some_and(|lock| LockRecord::decode(&lock.value).is_some());
    let is_go = go.is_some() || meta.is_some() || go_lock;
    let kind = match (is_native, is_go, choice) {
        (true, true, _) => return Err(mixed(LayoutKind::Native)),
        (true, false, LayoutChoice::Only(LayoutKind::CaddyEtcd)) => return Err(other(LayoutKind::Native)),
        (false, true, LayoutChoice::Only(LayoutKind::Native)) => return Err(other(LayoutKind::CaddyEtcd)),
        (false, true, _) => LayoutKind::CaddyEtcd,
        (false, false, LayoutChoice::Only(kind)) => kind,
        (true, false, _) | (false, false, LayoutChoice::Detect) => LayoutKind::Native,
    };
    let layout = if is_file { of(kind).with_format_file() } else { of(kind) };
    let format = if kind == LayoutKind::Native { native } else { go };
    if let Some(format) = &format {
        layout.check_format(&format.value)?;
    }
    Ok((layout, format))
}

/// The error of a tree of this layout in which there is data of the other one.
pub(crate) fn mixed(opened_as: LayoutKind) -> Error {
    let where_to_look = match opened_as {
        LayoutKind::Native => "keys of caddy-etcd lie below \"md/\" or \"lock/\"",
        LayoutKind::CaddyEtcd => "there is the native key \"format\"",
    };
    Error::new(ErrorKind::Unsupported).with_detail(format!(
        "the prefix holds data of both layouts, native and caddy-etcd: {where_to_look}; each needs a prefix of its own"
    ))
}

fn other(found: LayoutKind) -> Error {
    Error::new(ErrorKind::InvalidConfig).with_detail(format!("the tree is of the layout {found}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::{Key, Revision};

    fn entry(value: &'static str) -> Vec<Entry> {
        let revision = Revision(3);
        let (key, value) = (Key::new("any"), value.into());
        vec![Entry { key, value, create_revision: revision, mod_revision: revision, lease: None }]
    }

    const NOTHING: [Vec<Entry>; READS] = [vec![], vec![], vec![], vec![], vec![]];

    fn with(at: usize, value: &'static str) -> [Vec<Entry>; READS] {
        let mut found = NOTHING;
        found[at] = entry(value);
        found
    }

    fn kind(choice: LayoutChoice, found: [Vec<Entry>; READS]) -> Result<LayoutKind, ErrorKind> {
        let detected = detect(&KeyPrefix::default(), choice, found);
        detected.map(|(layout, _)| layout.kind()).map_err(|error| error.kind())
    }

    #[test]
    fn what_is_in_a_tree_decides_unless_something_else_was_chosen() {
        use LayoutKind::{CaddyEtcd, Native};
        // {"Token":"dA==","Obtained":"2026-11-23T07:18:04Z"}
        let lock = "eyJUb2tlbiI6ImRBPT0iLCJPYnRhaW5lZCI6IjIwMjYtMTEtMjNUMDc6MTg6MDRaIn0=";
        let (native, go) = (with(0, "1"), with(2, ""));
        for (found, detected, as_native, as_go) in [
            (NOTHING, Ok(Native), Ok(Native), Ok(CaddyEtcd)),
            (native.clone(), Ok(Native), Ok(Native), Err(ErrorKind::InvalidConfig)),
            (go.clone(), Ok(CaddyEtcd), Err(ErrorKind::InvalidConfig), Ok(CaddyEtcd)),
            (with(1, "caddy-etcd 1"), Ok(CaddyEtcd), Err(ErrorKind::InvalidConfig), Ok(CaddyEtcd)),
            (with(4, lock), Ok(CaddyEtcd), Err(ErrorKind::InvalidConfig), Ok(CaddyEtcd)),
            (with(4, "{\"version\":1}"), Ok(Native), Ok(Native), Ok(CaddyEtcd)),
        ] {
            assert_eq!(kind(LayoutChoice::Detect, found.clone()), detected, "{found:?}");
            assert_eq!(kind(Native.into(), found.clone()), as_native, "{found:?}");
            assert_eq!(kind(CaddyEtcd.into(), found.clone()), as_go, "{found:?}");
        }
        let mut both = native;
        both[2] = entry("");
        for choice in [LayoutChoice::Detect, Native.into(), CaddyEtcd.into()] {
            assert_eq!(kind(choice, both.clone()), Err(ErrorKind::Unsupported));
        }
    }

    #[test]
    fn a_file_of_the_go_module_that_is_called_format_is_a_file() {
        let mut found = with(0, "MQ==");
        (found[2], found[3]) = (entry(""), entry(""));
        assert_eq!(kind(LayoutChoice::Detect, found.clone()), Ok(LayoutKind::CaddyEtcd));
        found[0] = entry("1");
        assert_eq!(kind(LayoutChoice::Detect, found), Err(ErrorKind::Unsupported));
    }

    #[test]
    fn later_formats_of_both_are_refused() {
        assert_eq!(kind(LayoutChoice::Detect, with(0, "2")), Err(ErrorKind::Unsupported));
        assert_eq!(kind(LayoutChoice::Detect, with(1, "caddy-etcd 2")), Err(ErrorKind::Unsupported));
    }
}
