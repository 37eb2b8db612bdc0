//! The same seed does the same, whenever and wherever it runs.

use std::collections::BTreeSet;

use assert_cmd::Command;
use simulation::run;

#[test]
fn a_seed_has_one_trace_and_others_have_another() {
    const SEEDS: u64 = 50;
    let mut digests = BTreeSet::new();
    for seed in 0..SEEDS {
        let (one, other) = (run(seed), run(seed));
        let differs = one.trace.iter().zip(&other.trace).find(|(one, other)| one != other);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!((one.trace.len(), &one.digest), (other.trace.len(), &other.digest), "seed {seed}");
        assert_eq!(one.counts, other.counts, "seed {seed}");
        digests.insert(one.digest);
    }
    assert_eq!(digests.len() as u64, SEEDS);
}

#[test]
fn another_process_has_the_same_trace() {
    for seed in [0, 1, 2, 3, 5, 8, 13, 21] {
        let mut process = Command::new(env!("CARGO_BIN_EXE_simulation"));
        let output = process.args(["--seed", &seed.to_string(), "--trace"]).output().unwrap();
        let shown = String::from_utf8(output.stdout).unwrap();
        let here = run(seed);
        let there: Vec<_> = shown.lines().take(here.trace.len()).collect();
        assert_eq!(there, here.trace, "seed {seed}");
        assert!(shown.contains(&here.digest), "seed {seed}: {}", here.digest);
    }
}

#[test]
fn the_trace_has_what_would_show_other_clocks_and_other_chance() {
    let traces: Vec<_> = (0..20).flat_map(|seed| run(seed).trace).collect();
    for what in
        [r#""write":""#, r#""modified":"2026-"#, "/sim/session/", "with 00000000", "LoseAnswer", "in the end"]
    {
        assert!(traces.iter().any(|line| line.contains(what)), "{what}");
    }
    // Of the machine there is nothing.
    assert!(!traces.iter().any(|line| line.contains(r#""pid""#) || line.contains(r#""host""#)));
}
