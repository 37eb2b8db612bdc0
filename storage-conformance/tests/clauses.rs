//! The contracts and the cases say the same: every clause is checked, and every clause named exists.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The names of the clauses in `docs/*-contract.md`: list items that begin with a name in bold.
fn contracts() -> BTreeMap<String, usize> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let mut clauses = BTreeMap::new();
    for file in fs::read_dir(docs).expect("the contracts are beside the crate") {
        let path = file.expect("the folder can be read").path();
        let is_contract =
            path.file_name().is_some_and(|name| name.to_string_lossy().ends_with("-contract.md"));
        if is_contract {
            let text = fs::read_to_string(&path).expect("a contract is UTF-8");
            let items = text.lines().filter_map(|line| line.strip_prefix("- **")?.split_once("**"));
            for (clause, _text) in items {
                *clauses.entry(clause.to_owned()).or_default() += 1;
            }
        }
    }
    clauses
}

#[test]
fn every_clause_has_one_text() {
    let clauses = contracts();
    assert!(clauses.contains_key("KV-READ-1"), "the contract was not read: {clauses:?}");
    let repeated: Vec<_> = clauses.iter().filter(|(_, count)| **count > 1).collect();
    assert!(repeated.is_empty(), "numbered twice: {repeated:?}");
}

#[test]
fn every_clause_is_checked_by_a_case() {
    let named: BTreeSet<_> = storage_conformance::cases().flat_map(|(_, clauses)| clauses).copied().collect();
    let unchecked: Vec<_> =
        contracts().into_keys().filter(|clause| !named.contains(clause.as_str())).collect();
    assert!(unchecked.is_empty(), "no case names {unchecked:?}");
}

#[test]
fn every_case_names_clauses_that_exist() {
    let clauses = contracts();
    for (case, named) in storage_conformance::cases() {
        assert!(!named.is_empty(), "{case} names no clause");
        let unknown: Vec<_> = named.iter().filter(|clause| !clauses.contains_key(**clause)).collect();
        assert!(unknown.is_empty(), "{case} names {unknown:?}");
    }
}

#[test]
fn no_two_cases_share_a_name() {
    let names: Vec<_> = storage_conformance::cases().map(|(name, _)| name).collect();
    let distinct: BTreeSet<_> = names.iter().collect();
    assert_eq!(distinct.len(), names.len());
}

#[test]
fn every_saboteur_breaks_clauses_that_exist_under_a_name_of_its_own() {
    let clauses = contracts();
    let mut names = BTreeSet::new();
    for saboteur in storage_conformance::saboteurs() {
        let unknown: Vec<_> =
            saboteur.clauses().iter().filter(|clause| !clauses.contains_key(**clause)).collect();
        assert!(unknown.is_empty(), "{saboteur:?} breaks {unknown:?}");
        assert!(names.insert(saboteur.full_name()), "there are two of {saboteur:?}");
    }
    assert!(names.len() >= 40, "only {} saboteurs", names.len());
}
