//! The contracts that the suite checks, and their clauses one by one.
//!
//! They are the files of `docs/`, word for word: what a failing case prints of them is what is written there.

use std::fmt;

#[doc = include_str!("contract/kv.md")]
pub mod kv {}

#[doc = include_str!("contract/fs.md")]
pub mod fs {}

/// A numbered sentence of a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clause {
    /// Its number, for instance `KV-TXN-7`.
    pub name: &'static str,
    /// What it says, in the lines of the contract: those after the first begin with two spaces.
    pub text: &'static str,
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.text)
    }
}

/// Every clause of both contracts, in their order.
pub fn clauses() -> impl Iterator<Item = Clause> {
    [include_str!("contract/kv.md"), include_str!("contract/fs.md")].into_iter().flat_map(clauses_of)
}

/// The list items that begin with a name in bold. An item ends with its list or where the next one begins.
fn clauses_of(contract: &'static str) -> impl Iterator<Item = Clause> {
    contract.split("\n- **").skip(1).filter_map(|item| {
        let item = item.split_once("\n\n").map_or(item, |(item, _behind_the_list)| item);
        let (name, text) = item.split_once("** ")?;
        Some(Clause { name, text: text.trim_end() })
    })
}

/// The clauses of these names, each in lines of its own, indented.
pub(crate) fn quote(names: &[&str]) -> String {
    let quoted = names.iter().map(|name| match clauses().find(|clause| clause.name == *name) {
        Some(clause) => format!("    {}\n", clause.to_string().replace('\n', "\n    ")),
        None => format!("    {name}\n"),
    });
    quoted.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clause_ends_with_its_item() {
        const CONTRACT: &str = "# Title\n\nIntroduction.\n\n- **A-1** One line.\n- **A-2** Two\n  lines, **bold**.\n\nText.\n\n- **B-1** Last.\n";
        let read: Vec<_> = clauses_of(CONTRACT).map(|clause| (clause.name, clause.text)).collect();
        assert_eq!(read, [("A-1", "One line."), ("A-2", "Two\n  lines, **bold**."), ("B-1", "Last.")]);
    }

    #[test]
    fn a_clause_is_quoted_with_all_its_lines_below_its_name() {
        let quoted = quote(&["KV-TXN-1", "KV-TXN-6"]);
        let expected = "    KV-TXN-1 `Absent` holds if the key does not exist, `Present` if it does.\n    \
                        KV-TXN-6 A compare that does not hold is an answer: the reads of the other branch are made and answered in order,\n      \
                        nothing changes, and the reply's revision is the newest.\n";
        assert_eq!(quoted, expected);
    }
}
