use futures::future::BoxFuture;

use crate::Context;

/// One behaviour that the contract demands.
///
/// Every subject file begins with a table of its cases, which reads like a specification, and goes on with one plain
/// async function per case. Nothing has to keep the two in step: a function missing from its table is dead code,
/// which this crate denies, and so is a table missing from [`subjects`].
pub(crate) struct Case {
    /// The module of the case; its path below the crate is the case's subject.
    pub(crate) module: &'static str,
    /// What must hold: the name of the function.
    pub(crate) name: &'static str,
    /// The clauses of the contract that the case checks.
    pub(crate) clauses: &'static [&'static str],
    /// Checks it against an empty store, and panics if it does not hold.
    pub(crate) run: fn(Context) -> BoxFuture<'static, ()>,
}

impl Case {
    /// `<subject>::<case>`, for instance `kv::txn::a_failed_compare_changes_nothing`.
    pub(crate) fn full_name(&self) -> String {
        let subject = self.module.split_once("::").map_or(self.module, |(_crate, subject)| subject);
        format!("{subject}::{}", self.name)
    }
}

/// A line of a case table: the clauses, then the function.
macro_rules! case {
    ([$($clause:literal),+], $function:ident) => {
        $crate::Case {
            module: module_path!(),
            name: stringify!($function),
            clauses: &[$($clause),+],
            run: |context| Box::pin($function(context)),
        }
    };
}
pub(crate) use case;

/// The name of every case, without its harness, and the clauses of `docs/*-contract.md` that it checks.
pub fn cases() -> impl Iterator<Item = (String, &'static [&'static str])> {
    subjects().map(|case| (case.full_name(), case.clauses))
}

/// All cases, subject by subject.
pub(crate) fn subjects() -> impl Iterator<Item = &'static Case> {
    [
        crate::kv::SUBJECTS,
        crate::files::SUBJECTS,
        crate::locks::SUBJECTS,
        crate::watching::SUBJECTS,
        crate::caddy_etcd::SUBJECTS,
    ]
    .into_iter()
    .flatten()
    .copied()
    .flatten()
}
