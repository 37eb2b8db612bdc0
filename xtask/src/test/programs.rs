//! Running test programs side by side: most of them wait most of the time, for leases and for servers.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Output},
    sync::{Mutex, MutexGuard},
    thread,
};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use super::tally::Tally;
use crate::process;

/// How many programs run at once.
const AT_ONCE: usize = 2;

/// Packages whose programs measure: figures of two that run side by side would be those of neither.
const ALONE: [&str; 2] = ["cluster-tests", "fault-tests"];

/// Builds what this command of `cargo test` names, runs all of it, and counts the tests.
///
/// # Errors
///
/// When something could not be built, when no test ran, or with the names of the programs that failed.
pub(super) fn run(test: &mut Command, tally: &mut Tally) -> Result<()> {
    let mut programs = build(test)?;
    // Those that take longest come first, so that nothing waits for the last of them alone.
    programs.sort_by_key(|program| !program.is_long());
    let (alone, together): (Vec<_>, Vec<_>) = programs.into_iter().partition(Program::is_alone);
    let mut failed = run_all(together, AT_ONCE, tally)?;
    failed.append(&mut run_all(alone, 1, tally)?);
    if !failed.is_empty() {
        // Again, since thousands of lines may lie between here and where they were first.
        for failure in &failed {
            println!("\n{}", failure.excerpt);
        }
        let names: Vec<_> = failed.iter().map(|failure| &*failure.name).collect();
        bail!("failed: {}", names.join(", "));
    }
    if tally.passed == 0 {
        bail!("no test ran");
    }
    Ok(())
}

/// A test program, and the package whose it is.
#[derive(Debug, PartialEq)]
struct Program {
    executable: PathBuf,
    /// Where cargo would run it.
    directory: PathBuf,
    package: String,
    /// `kv-etcd/tests/watch.rs`.
    name: String,
}

/// What cargo says of something that it has built; of other messages nothing is read.
#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
    manifest_path: Option<PathBuf>,
    profile: Option<Profile>,
    target: Option<Target>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

#[derive(Deserialize)]
struct Target {
    src_path: PathBuf,
}

fn build(test: &mut Command) -> Result<Vec<Program>> {
    test.args(["--no-run", "--message-format=json-render-diagnostics"]);
    let messages = process::capture_beside_errors(test)?;
    messages.lines().filter_map(|line| Program::of_message(line).transpose()).collect()
}

impl Program {
    /// The test program that a message of cargo is about, if it is about one.
    fn of_message(line: &str) -> Result<Option<Self>> {
        let message: Message = serde_json::from_str(line)
            .with_context(|| format!("cannot understand what cargo says: {line}"))?;
        let (Some(executable), Some(manifest), Some(Profile { test: true }), Some(target)) =
            (message.executable, message.manifest_path, message.profile, message.target)
        else {
            return Ok(None);
        };
        let directory = manifest.parent().context("a manifest lies in a directory")?.to_owned();
        let package = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let source = target.src_path.strip_prefix(&directory).unwrap_or(&target.src_path).display();
        let name = format!("{package}/{source}");
        Ok(Some(Self { executable, directory, package, name }))
    }

    fn is_alone(&self) -> bool {
        ALONE.iter().any(|package| Path::new(&self.name).starts_with(package))
    }

    fn is_long(&self) -> bool {
        self.name.ends_with("tests/conformance.rs")
    }

    fn run(&self) -> Result<Output> {
        // As cargo would.
        let mut command = process::command(&self.executable);
        command.current_dir(&self.directory).env("CARGO_MANIFEST_DIR", &self.directory);
        let output = command.env("CARGO_PKG_NAME", &self.package).output();
        output.with_context(|| format!("cannot start {}", self.name))
    }
}

/// A program that failed.
#[derive(Debug, PartialEq)]
struct Failure {
    name: String,
    /// How it ended, and of what it said the part about what failed.
    excerpt: String,
}

impl Failure {
    /// How many lines an excerpt has at most.
    const LINES: usize = 60;

    fn new(name: String, status: ExitStatus, said: &str) -> Self {
        let about: Vec<_> = said.lines().skip_while(|line| *line != "failures:").collect();
        let mut excerpt = vec![format!("{name} failed ({status})")];
        excerpt.extend(about.iter().take(Self::LINES).map(ToString::to_string));
        if about.len() > Self::LINES {
            excerpt.push(format!("... and {} lines more", about.len() - Self::LINES));
        }
        Self { name, excerpt: excerpt.join("\n") }
    }
}

/// Runs programs, so many at once, prints what each has said when it ends, and answers those that failed.
fn run_all(programs: Vec<Program>, at_once: usize, tally: &mut Tally) -> Result<Vec<Failure>> {
    let waiting = Mutex::new(VecDeque::from(programs));
    let done = Mutex::new((Vec::new(), tally));
    let work = || -> Result<()> {
        while let Some(program) = take(&waiting) {
            let output = program.run()?;
            // Held while printing, so that nothing of another program comes between.
            let mut done = locked(&done);
            let (failed, tally) = &mut *done;
            println!("\n     Running {}", program.name);
            let said = String::from_utf8_lossy(&output.stdout);
            for line in said.lines() {
                println!("{line}");
                tally.observe(line);
            }
            eprint!("{}", String::from_utf8_lossy(&output.stderr));
            if !output.status.success() {
                println!("{} failed ({})", program.name, output.status);
                failed.push(Failure::new(program.name, output.status, &said));
            }
        }
        Ok(())
    };
    let ended: Vec<Result<()>> = thread::scope(|scope| {
        let workers: Vec<_> = (0..at_once).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().expect("it does not panic")).collect()
    });
    ended.into_iter().collect::<Result<()>>()?;
    Ok(locked(&done).0.drain(..).collect())
}

fn take(waiting: &Mutex<VecDeque<Program>>) -> Option<Program> {
    locked(waiting).pop_front()
}

/// No panic happens under these locks.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("not poisoned")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(name: &str, executable: &Path) -> Program {
        let (executable, directory) = (executable.to_owned(), PathBuf::from("."));
        Program { executable, directory, package: "xtask".to_owned(), name: name.to_owned() }
    }

    #[test]
    fn a_message_about_a_test_program_is_one() {
        let line = r#"{"reason":"compiler-artifact","manifest_path":"/w/kv-etcd/Cargo.toml","target":{"name":"tls",
            "src_path":"/w/kv-etcd/tests/tls.rs"},"profile":{"test":true},"executable":"/w/target/debug/deps/tls-1"}"#
            .replace('\n', "");
        let built = Program::of_message(&line).unwrap().unwrap();
        assert_eq!((&*built.name, built.directory.to_str()), ("kv-etcd/tests/tls.rs", Some("/w/kv-etcd")));
        assert!(!built.is_alone());
        for other in
            [line.replace("true", "false"), r#"{"reason":"build-finished","success":true}"#.to_owned()]
        {
            assert_eq!(Program::of_message(&other).unwrap(), None, "{other}");
        }
        assert!(Program::of_message("warning: text").is_err());
    }

    #[test]
    fn what_measures_runs_alone() {
        let is_alone = |name| program(name, Path::new("x")).is_alone();
        assert!(is_alone("fault-tests/tests/quick.rs") && is_alone("cluster-tests/src/main.rs"));
        assert!(!is_alone("kv-memory/src/lib.rs"));
        let is_long = |name| program(name, Path::new("x")).is_long();
        assert!(is_long("kv-etcd/tests/conformance.rs") && !is_long("kv-etcd/tests/etcd/main.rs"));
    }

    #[test]
    fn every_program_is_run_and_those_that_fail_are_named() {
        let cargo = PathBuf::from(process::cargo().get_program());
        // Without arguments cargo prints its help and succeeds.
        let missing = Path::new("/no/such/program");
        let mut tally = Tally::default();
        let programs = (0..7).map(|n| program(&n.to_string(), &cargo)).collect();
        assert_eq!(run_all(programs, 3, &mut tally).unwrap(), []);
        assert!(run_all(vec![program("gone", missing)], 2, &mut tally).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_program_that_fails_is_named_and_the_others_are_run() {
        let programs = ["true", "false", "true"].map(|name| program(name, Path::new(name)));
        let failed = run_all(programs.into(), 1, &mut Tally::default()).unwrap();
        assert_eq!(failed.iter().map(|failure| &*failure.name).collect::<Vec<_>>(), ["false"]);
    }

    #[cfg(unix)]
    #[test]
    fn of_what_a_failed_program_said_the_part_about_failures_is_kept_and_is_short() {
        use std::os::unix::process::ExitStatusExt as _;

        let kept = |said: &str| {
            let excerpt = Failure::new("p".to_owned(), ExitStatus::from_raw(256), said).excerpt;
            excerpt.lines().map(str::to_owned).collect::<Vec<_>>()
        };
        let head = "p failed (exit status: 1)";
        assert_eq!(kept("test a ... ok\nno part"), [head]);
        assert_eq!(kept("test a ... FAILED\n\nfailures:\n\nwhy\n"), [head, "failures:", "", "why"]);
        let long = kept(&format!("failures:\n{}", "x\n".repeat(Failure::LINES)));
        assert_eq!(long.len(), Failure::LINES + 2);
        assert_eq!(long.last().unwrap(), "... and 1 lines more");
    }
}
