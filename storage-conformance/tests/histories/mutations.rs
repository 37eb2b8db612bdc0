//! Legal histories, each with something changed so that it is legal no more: every one is rejected.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::rngs::StdRng;
use storage_conformance::history::{check_registers, check_revisions};
use storage_core::kv::Revision;

use crate::generator::Shape;
use crate::mutant::Mutant;

/// Changes something, or nothing if there is no place for it. What it leaves must be illegal whatever the rest is.
type Mutation = fn(&mut Mutant) -> Option<()>;

const MUTATIONS: &[(&str, Mutation)] = &[
    ("a read finds what nobody wrote", Mutant::read_another_content),
    ("a read tells another version", Mutant::read_another_version),
    ("a read finds what was overwritten before", Mutant::read_late),
    ("a read misses what is there", Mutant::read_nothing),
    ("a read finds what is not written yet", Mutant::read_early),
    ("a read finds what was not acknowledged as it is", Mutant::read_failed_write),
    ("a snapshot is of two revisions", Mutant::tear_snapshot),
    ("a listing shows one file more", Mutant::list_more),
    ("a listing shows another version", Mutant::list_another_version),
    ("a refusal names what is not there", Mutant::refuse_without_reason),
    ("an acknowledged write is not in the log", Mutant::lose_write),
    ("a deletion is not in the log", Mutant::lose_deletion),
    ("a write is in the log again", Mutant::write_twice),
    ("an open write is in the log again", Mutant::write_open_one_twice),
    ("a failed write is in the log", Mutant::write_failed_one),
    ("what nobody asked for is in the log", Mutant::write_unasked),
    ("what is in the log was told to have failed", Mutant::fail_write),
    ("what is in the log was told to be refused", Mutant::refuse_write),
    ("a write is told another revision", Mutant::shift_revision),
    ("two writes are told each other's revisions", Mutant::swap_revisions),
    ("two writes are in the log in each other's place", Mutant::swap_in_log),
    ("a content is cut short", Mutant::truncate),
    ("a group is without one of its files", Mutant::tear_group),
    ("a write changes another file as well", Mutant::write_more),
    ("a group is written in two steps", Mutant::split_group),
    ("a deletion counts too many", Mutant::count_more),
    ("a deletion leaves a file out", Mutant::delete_less),
    ("a file is created that is there", Mutant::create_existing),
    ("a file of another version is replaced", Mutant::replace_another_version),
    ("two writes are made in each other's time", Mutant::swap_times),
    ("a write is asked for when it is done", Mutant::ask_late),
    ("an open write is asked for when it is done", Mutant::ask_late_for_open_one),
    ("a lock is taken with a token that was another's", Mutant::take_token_again),
    ("a lock is taken while another holds it", Mutant::overlap_holders),
    ("a holder that was overtaken writes", Mutant::write_overtaken),
    ("a revision comes twice", Mutant::repeat_revision),
    ("what is not there is deleted", Mutant::delete_nothing),
    ("a path is a file and a directory", Mutant::store_below_file),
];

#[test]
fn every_mutant_is_rejected() {
    const SEEDS: u64 = 200;
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for seed in 0..SEEDS {
        let (history, log) = Shape::short(seed).generate();
        for (name, mutate) in MUTATIONS {
            let random = StdRng::seed_from_u64(seed);
            let mut mutant = Mutant { history: history.clone(), log: log.clone(), random };
            if mutate(&mut mutant).is_none() {
                continue;
            }
            let count = counts.entry(name).or_default();
            count.0 += 1;
            count.1 += usize::from(!check_revisions(&mutant.history, &mutant.log).is_empty());
        }
    }
    let mut all = (0, 0);
    for (name, (mutants, rejected)) in &counts {
        println!("{mutants:>5} {rejected:>5}  {name}");
        all = (all.0 + mutants, all.1 + rejected);
    }
    println!("{:>5} {:>5}  mutants, and how many were rejected", all.0, all.1);
    for (name, _) in MUTATIONS {
        let (mutants, rejected) = counts.get(name).copied().unwrap_or_default();
        assert!(mutants >= 20, "only {mutants} mutants: {name}");
        assert_eq!(mutants, rejected, "{name}");
    }
}

/// What some mutations do besides is no reason to reject them.
#[test]
fn other_numbers_for_the_revisions_are_legal() {
    for seed in 0..50 {
        let (history, log) = Shape::short(seed).generate();
        let mut mutant = Mutant { history, log, random: StdRng::seed_from_u64(seed) };
        mutant.renumber(|revision| Revision(3 * revision.0));
        assert_eq!(check_revisions(&mutant.history, &mutant.log), [], "seed {seed}");
    }
}

/// What can be seen without the log.
#[test]
fn mutants_of_single_files_are_rejected_without_the_log() {
    let seen: [(&str, Mutation); 4] = [
        ("a read finds what nobody wrote", Mutant::read_another_content),
        ("a read finds what was overwritten before", Mutant::read_late),
        ("a read misses what is there", Mutant::read_nothing),
        ("a read finds what is not written yet", Mutant::read_early),
    ];
    for (name, mutate) in seen {
        let mut mutants = 0;
        for seed in 0..300 {
            // Without open calls, which could explain much that is not so.
            let (history, log) = Shape { troubles: 0, ..Shape::of_single_files(seed) }.generate();
            let mut mutant = Mutant { history, log, random: StdRng::seed_from_u64(seed) };
            assert!(check_registers(&mutant.history).violations.is_empty(), "seed {seed}");
            if mutate(&mut mutant).is_some() {
                mutants += 1;
                let violations = check_registers(&mutant.history).violations;
                assert!(!violations.is_empty(), "{name}, seed {seed}");
            }
        }
        println!("{mutants:>5}  {name}");
        assert!(mutants >= 20, "only {mutants} mutants: {name}");
    }
}
