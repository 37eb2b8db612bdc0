//! The contracts and the cases say the same: every clause is checked, and every clause named exists.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::{fs, io};

use storage_conformance::{cases, contract, exclusions};
use storage_core::LayoutKind;

#[test]
fn every_clause_is_checked_by_a_case() {
    let named: BTreeSet<_> = cases().flat_map(|(_, clauses)| clauses).copied().collect();
    let unchecked: Vec<_> =
        contract::clauses().map(|clause| clause.name).filter(|name| !named.contains(name)).collect();
    assert!(unchecked.is_empty(), "no case names {unchecked:?}");
}

#[test]
fn every_case_names_clauses_that_exist() {
    let clauses: BTreeSet<_> = contract::clauses().map(|clause| clause.name).collect();
    for (case, named) in cases() {
        assert!(!named.is_empty(), "{case} names no clause");
        let unknown: Vec<_> = named.iter().filter(|name| !clauses.contains(**name)).collect();
        assert!(unknown.is_empty(), "{case} names {unknown:?}");
    }
}

#[test]
fn the_clauses_of_a_subject_are_numbered_from_one_without_a_gap() {
    let mut last: BTreeMap<&str, u32> = BTreeMap::new();
    for clause in contract::clauses() {
        let (subject, number) = clause.name.rsplit_once('-').expect("a clause is a subject and a number");
        let last = last.entry(subject).or_default();
        assert_eq!(number.parse(), Ok(*last + 1), "{clause}");
        *last += 1;
    }
    assert!(last["KV-READ"] > 0 && last["FS-PATH"] > 0, "a contract was not read: {last:?}");
}

/// What the crate includes are links: a contract without one would be checked by nobody, and a copy would grow old.
#[test]
fn the_contracts_are_those_of_the_documentation() {
    let read = || {
        let mut clauses = 0;
        for file in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs"))? {
            let path = file?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let Some(name) = name.strip_suffix("-contract.md") else { continue };
            let text = fs::read_to_string(&path)?;
            let included = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/contract/{name}.md"));
            assert_eq!(fs::read_to_string(included)?, text, "{}", path.display());
            clauses += text.lines().filter(|line| line.starts_with("- **")).count();
        }
        Ok::<_, io::Error>(clauses)
    };
    let written = read().expect("the contracts can be read");
    assert_eq!(contract::clauses().count(), written);
}

#[test]
fn no_two_cases_share_a_name() {
    let names: Vec<_> = cases().map(|(name, _)| name).collect();
    let distinct: BTreeSet<_> = names.iter().collect();
    assert_eq!(distinct.len(), names.len());
}

#[test]
fn every_saboteur_breaks_clauses_that_exist_under_a_name_of_its_own() {
    let clauses: BTreeSet<_> = contract::clauses().map(|clause| clause.name).collect();
    let mut names = BTreeSet::new();
    for saboteur in storage_conformance::saboteurs() {
        let unknown: Vec<_> =
            saboteur.clauses().iter().filter(|clause| !clauses.contains(**clause)).collect();
        assert!(unknown.is_empty(), "{saboteur:?} breaks {unknown:?}");
        assert!(names.insert(saboteur.full_name()), "there are two of {saboteur:?}");
    }
    assert!(names.len() >= 40, "only {} saboteurs", names.len());
}

/// The contract lists what the layout of caddy-etcd does not meet, with the reasons; no case is left out for another one.
#[test]
fn the_clauses_that_a_layout_does_not_meet_are_those_of_the_documentation() {
    let contract = include_str!("../src/contract/fs.md");
    let (_, table) = contract.split_once("|---|---|\n").expect("a table of the clauses that are not met");
    let written: Vec<(&str, &str)> = table
        .lines()
        .map_while(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "))
        .collect();
    let excluded: Vec<_> = exclusions(LayoutKind::CaddyEtcd)
        .iter()
        .map(|exclusion| (exclusion.clause, exclusion.reason))
        .collect();
    assert_eq!(excluded, written);
    let clauses: BTreeSet<_> = contract::clauses().map(|clause| clause.name).collect();
    let unknown: Vec<_> = excluded.iter().filter(|(clause, _)| !clauses.contains(clause)).collect();
    assert!(!excluded.is_empty() && unknown.is_empty(), "{unknown:?}");
    assert_eq!(exclusions(LayoutKind::Native), []);
}
