//! The text of every `--help`, and what is said of wrong use, word for word: a change of the command line is to be seen.
//!
//! `TRYCMD=overwrite cargo test -p storage-cli --test cli snapshots` writes them anew, for the change to be looked at.

use std::collections::BTreeSet;
use std::fs;

#[test]
fn help_and_errors_are_as_they_were() {
    let cases = trycmd::TestCases::new();
    // Independent of the terminal, and of who runs the tests.
    cases.env("COLUMNS", "100").env("NO_COLOR", "1");
    for store in ["KVFS_STORE", "KVFS_CONFIG", "CADDY_CLUSTERING_ETCD_SERVERS"] {
        cases.env(store, "");
    }
    cases.case("tests/help/*.trycmd").case("tests/errors/*.trycmd");
}

#[test]
fn every_command_has_its_help_here() {
    let mut here = BTreeSet::new();
    for file in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/help")).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        let lines = text.lines().filter_map(|line| line.strip_prefix("$ kvfs ")?.strip_suffix("--help"));
        here.extend(lines.map(|line| line.trim().to_owned()));
    }
    let mut next = vec![String::new()];
    while let Some(command) = next.pop() {
        assert!(here.contains(&command), "the help of `kvfs {command}` is in no file of tests/help");
        let mut kvfs = assert_cmd::cargo::cargo_bin_cmd!("kvfs");
        let help = kvfs.args(command.split_whitespace()).arg("--help").output().unwrap();
        let help = String::from_utf8(help.stdout).unwrap();
        let Some((_, listed)) = help.split_once("\nCommands:\n") else { continue };
        let names = listed.lines().take_while(|line| !line.is_empty());
        let names = names.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
        let names = names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
        next.extend(names.map(|name| format!("{command} {name}").trim().to_owned()));
    }
}
