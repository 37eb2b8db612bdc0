//! Completions and manual pages know every command and every option.

use std::fs;

use crate::support::{argument, command, run};

fn stdout(arguments: &[&str]) -> String {
    run(command().args(arguments)).succeeded().text().to_owned()
}

/// The commands that `--help` of this one names, each with those before it.
fn commands_of(path: &[String]) -> Vec<Vec<String>> {
    let mut arguments: Vec<&str> = path.iter().map(String::as_str).collect();
    arguments.push("--help");
    let help = stdout(&arguments);
    let Some((_, listed)) = help.split_once("\nCommands:\n") else { return Vec::new() };
    let names = listed.lines().take_while(|line| !line.is_empty());
    let names = names.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
    names.map(|name| [path, &[name.to_owned()]].concat()).collect()
}

/// Every command, those of commands too.
fn commands() -> Vec<Vec<String>> {
    let mut all = vec![Vec::new()];
    let mut next = 0;
    while next < all.len() {
        all.extend(commands_of(&all[next]));
        next += 1;
    }
    assert!(all.len() > 25, "{all:?}");
    all
}

/// The long options that `--help` of a command explains.
fn options(command: &[String]) -> Vec<String> {
    let mut arguments: Vec<&str> = command.iter().map(String::as_str).collect();
    arguments.push("--help");
    let help = stdout(&arguments);
    let lines = help.lines().map(str::trim).filter(|line| line.starts_with('-'));
    let words = lines.filter_map(|line| line.split_whitespace().find(|word| word.starts_with("--")));
    words.map(|word| word.trim_end_matches(|c: char| !c.is_alphanumeric()).to_owned()).collect()
}

#[test]
fn every_shell_gets_completions_of_every_command_and_option() {
    let commands = commands();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = stdout(&["completions", shell]);
        for command in &commands {
            if let Some(name) = command.last() {
                assert!(script.contains(name), "{shell}: {command:?}");
            }
            for option in options(command) {
                let option = if shell == "fish" { option.trim_start_matches('-') } else { &option };
                assert!(script.contains(option), "{shell}: {command:?} {option}");
            }
        }
    }
}

#[test]
fn bash_understands_its_completions() {
    let script = stdout(&["completions", "bash"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kvfs.bash");
    fs::write(&file, script).unwrap();
    let complete = format!(
        "source {} && COMP_WORDS=(kvfs veri) COMP_CWORD=1 && _kvfs kvfs veri kvfs && echo ${{COMPREPLY[*]}}",
        argument(&file)
    );
    let output = std::process::Command::new("bash").args(["-c", &complete]).output().unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "verify\n",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn every_command_has_a_manual_page_with_its_options() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("made/man1");
    assert_eq!(stdout(&["man", argument(&dir)]), "");
    for command in commands() {
        let name = [&["kvfs".to_owned()], &command[..]].concat().join("-");
        let page = fs::read_to_string(dir.join(format!("{name}.1"))).unwrap_or_else(|_| panic!("{name}.1"));
        assert!(page.contains(".TH "), "{name}");
        for option in options(&command) {
            let option = option.replace('-', "\\-");
            assert!(page.contains(&option), "{name}: {option}");
        }
    }
    let page = stdout(&["man"]);
    assert!(page.contains(".TH kvfs 1") && page.contains("Exit codes") && page.contains("verify"), "{page}");
}

#[test]
fn a_directory_that_cannot_be_made_is_told() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let below = file.path().join("man");
    run(command().args(["man", argument(&below)])).failed(3, &["man: cannot write to "]);
}
