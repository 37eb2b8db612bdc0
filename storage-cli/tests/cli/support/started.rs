//! Commands that go on while the test does something else.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;

use super::Run;

/// A command that is ended with the test, and with it the commands that it runs. What it prints goes to files, which others may hold open longer.
pub(crate) struct Started {
    child: Child,
    stdout: NamedTempFile,
    stderr: NamedTempFile,
}

impl Started {
    pub(crate) fn new(command: &mut Command) -> Self {
        let (stdout, stderr) = (NamedTempFile::new().unwrap(), NamedTempFile::new().unwrap());
        command.stdin(Stdio::null()).stdout(stdout.reopen().unwrap()).stderr(stderr.reopen().unwrap());
        Self { child: command.spawn().unwrap(), stdout, stderr }
    }

    pub(crate) fn pid(&self) -> String {
        self.child.id().to_string()
    }

    /// What it has printed up to now.
    pub(crate) fn printed(&self) -> String {
        fs::read_to_string(self.stdout.path()).unwrap()
    }

    /// Sends it a signal, such as `TERM`.
    #[track_caller]
    pub(crate) fn signal(&self, signal: &str) {
        assert!(send(signal, &self.pid()), "it should still run: {}", self.told());
    }

    fn told(&self) -> String {
        fs::read_to_string(self.stderr.path()).unwrap()
    }

    /// Kills it as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end. The code of one that a signal ended is what a shell says.
    #[track_caller]
    pub(crate) fn wait(mut self) -> Run {
        let status = until("the command should end", || self.child.try_wait().unwrap());
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap());
        Run { code, stdout: self.printed().into_bytes(), stderr: self.told() }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // Not killed at once: a `kvfs lock` hands this on to its command, which would go on without it.
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            send("TERM", &self.pid());
            poll(Duration::from_secs(5), || self.child.try_wait().ok().flatten());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process that nobody waits for: killed when the test ends.
pub(crate) struct Orphan(pub(crate) String);

impl Drop for Orphan {
    fn drop(&mut self) {
        send("KILL", &self.0);
    }
}

/// Sends a signal; `0` only finds out whether the process is there. Whether it was.
pub(crate) fn send(signal: &str, pid: &str) -> bool {
    let kill = Command::new("kill").args([&format!("-{signal}"), pid]).stderr(Stdio::null()).status();
    kill.unwrap().success()
}

/// Whether this process, and so its children, were started to ignore a signal, as is usual in the background.
pub(crate) fn is_ignored(number: u32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.is_some_and(|mask| u64::from_str_radix(mask.trim(), 16).unwrap() >> (number - 1) & 1 == 1)
}

/// The signal of Ctrl-C and the code that it ends with; another one where it is ignored.
pub(crate) fn interrupt() -> (&'static str, i32) {
    if is_ignored(2) { ("USR1", 128 + 10) } else { ("INT", 128 + 2) }
}

/// Looks until there is something to see.
#[track_caller]
pub(crate) fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    // Longer than anything here should take, on a machine that is busy with something else.
    poll(Duration::from_secs(60), look).unwrap_or_else(|| panic!("{what}"))
}

#[expect(clippy::disallowed_methods, reason = "other processes are waited for, in real time")]
fn poll<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let begin = Instant::now();
    loop {
        let seen = look();
        if seen.is_some() || begin.elapsed() >= limit {
            return seen;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
