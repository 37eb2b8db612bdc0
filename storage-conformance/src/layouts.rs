//! In which layout the cases make their trees, and which clauses a layout cannot meet.

use std::sync::Arc;

use storage_core::LayoutKind;

use crate::{Case, Harness};

/// A column of the test report: the stores of a harness, and the layout of the trees that are made in them.
///
/// Made [`From`] a harness it has the native layout, and all cases are run. In another one only those about the file tree,
/// its locks and its watches are, without those that check an [excluded](exclusions) clause.
#[derive(Clone)]
pub struct Column {
    pub(crate) harness: Arc<dyn Harness>,
    pub(crate) layout: LayoutKind,
}

impl Column {
    /// The stores of a harness with trees in the layout of caddy-etcd.
    pub fn caddy_etcd(harness: Arc<dyn Harness>) -> Self {
        Self { harness, layout: LayoutKind::CaddyEtcd }
    }

    /// The first part of the names of its tests.
    pub(crate) fn name(&self) -> String {
        match self.layout {
            LayoutKind::Native => self.harness.name(),
            layout => format!("{}-{layout}", self.harness.name()),
        }
    }

    /// Whether a case is run in it.
    pub(crate) fn has(&self, case: &Case) -> bool {
        let excluded =
            |clause: &&str| exclusions(self.layout).iter().any(|exclusion| exclusion.clause == *clause);
        match self.layout {
            LayoutKind::Native => true,
            _ => !case.clauses.iter().any(|clause| clause.starts_with("KV-") || excluded(clause)),
        }
    }
}

impl From<Arc<dyn Harness>> for Column {
    fn from(harness: Arc<dyn Harness>) -> Self {
        Self { harness, layout: LayoutKind::Native }
    }
}

impl std::fmt::Debug for Column {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Column").field(&self.name()).finish()
    }
}

/// A clause of the contract that a layout does not meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exclusion {
    /// The clause.
    pub clause: &'static str,
    /// Why it cannot be met, or what holds instead.
    pub reason: &'static str,
}

const fn exclude(clause: &'static str, reason: &'static str) -> Exclusion {
    Exclusion { clause, reason }
}

/// The clauses that a layout does not meet, in the order of the contract, which says the same.
pub fn exclusions(layout: LayoutKind) -> &'static [Exclusion] {
    match layout {
        LayoutKind::CaddyEtcd => CADDY_ETCD,
        _ => &[],
    }
}

const CADDY_ETCD: &[Exclusion] = &[
    exclude(
        "FS-PATH-6",
        "metadata lies below `md`, locks below `lock`: no path may begin with these components",
    ),
    exclude(
        "FS-PATH-7",
        "contents lie directly below the prefix: a tree below that of another is among its files",
    ),
    exclude(
        "FS-FORMAT-1",
        "the format key is `lock/md//format` = `caddy-etcd 1`, and the first deletion gives it to a tree as well",
    ),
    exclude("FS-FORMAT-3", "contents and records are those of the Go module"),
    exclude("FS-FORMAT-5", "the record of deletions is `lock/md//deleted`"),
    exclude("FS-DAMAGE-3", "the records of the Go module have no version"),
    exclude(
        "FS-VERIFY-3",
        "whatever lies below the prefix is among the files, and told of as content without metadata",
    ),
    exclude(
        "FS-QUARANTINE-1",
        "the quarantine is `lock/md//quarantine/`, and content without metadata is not moved",
    ),
    exclude(
        "FS-LOCK-3",
        "no name has an empty component, `.` or `..`: the Go module would take it for another one",
    ),
    exclude(
        "FS-LOCK-8",
        "with every renewal a holder puts the key again at which members look that run the Go module",
    ),
    exclude("FS-COST-3", "taking a lock takes one transaction more, for the key of the Go module"),
];
