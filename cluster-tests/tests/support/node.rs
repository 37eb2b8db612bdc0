use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use cluster_tests::{At, Command, Event, Report};

use super::{PREFIX, Store, until};

/// A process of the cluster; killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Node {
    child: Child,
    commands: ChildStdin,
    reports: Receiver<Report>,
    /// What it has said and nobody has asked for yet.
    unread: VecDeque<Report>,
}

impl Node {
    /// Starts a node that has opened the tree.
    pub(crate) fn start(store: &Store, ttl: Duration) -> Self {
        let mut node = Self::spawn(store, ttl);
        node.wait_until_ready();
        node
    }

    /// Starts many at the same time.
    pub(crate) fn start_many(store: &Store, ttl: Duration, count: usize) -> Vec<Self> {
        let mut nodes: Vec<_> = (0..count).map(|_| Self::spawn(store, ttl)).collect();
        nodes.iter_mut().for_each(Self::wait_until_ready);
        nodes
    }

    fn spawn(store: &Store, ttl: Duration) -> Self {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_cluster-node"));
        command.arg("--store").arg(store.argument());
        command.arg("--prefix").arg(PREFIX);
        command.arg("--ttl-millis").arg(ttl.as_millis().to_string());
        // In a process group of its own: when the test dies, the kernel continues and ends a group that is stopped. One
        // that runs ends because its input does.
        command.process_group(0);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let commands = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, reports) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // A line that was cut off when the node was killed is none.
                let Ok(report) = serde_json::from_str(&line) else { continue };
                if sender.send(report).is_err() {
                    return;
                }
            }
        });
        Self { child, commands, reports, unread: VecDeque::new() }
    }

    fn wait_until_ready(&mut self) {
        self.wait_for("ready", |event| matches!(event, Event::Ready).then_some(()));
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Tells it to do something.
    pub(crate) fn tell(&mut self, command: &Command) {
        writeln!(self.commands, "{}", serde_json::to_string(command).unwrap()).unwrap();
    }

    /// Waits until it says what is looked for, and answers when that was, and what `pick` made of it. What else it says is
    /// kept for later; a failure or a violation that is not looked for fails the test.
    pub(crate) fn wait_for<T>(&mut self, what: &str, pick: impl FnMut(&Event) -> Option<T>) -> (At, T) {
        self.wait_long_for(what, Duration::from_secs(60), pick)
    }

    /// The same for what may take as long as the deadline says.
    pub(crate) fn wait_long_for<T>(
        &mut self,
        what: &str,
        deadline: Duration,
        mut pick: impl FnMut(&Event) -> Option<T>,
    ) -> (At, T) {
        if let Some(found) = self.take_unread(&mut pick) {
            return found;
        }
        let began = At::now();
        loop {
            match self.reports.recv_timeout(deadline.saturating_sub(began.elapsed())) {
                Ok(report) => {
                    if let Some(picked) = pick(&report.event) {
                        return (report.at, picked);
                    }
                    self.keep(report);
                }
                Err(RecvTimeoutError::Timeout) => {
                    panic!(
                        "node {} did not say within {deadline:?}: {what}; it said {:?}",
                        self.pid(),
                        self.unread
                    )
                }
                Err(RecvTimeoutError::Disconnected) => panic!("node {} ended before: {what}", self.pid()),
            }
        }
    }

    /// What it has said, if it has.
    pub(crate) fn said<T>(&mut self, mut pick: impl FnMut(&Event) -> Option<T>) -> Option<T> {
        self.check();
        self.take_unread(&mut pick).map(|(_, picked)| picked)
    }

    /// What it has said, if it has; whatever it has said, if it was killed.
    pub(crate) fn said_until_its_end<T>(&mut self, mut pick: impl FnMut(&Event) -> Option<T>) -> Option<T> {
        if self.child.try_wait().unwrap().is_some() {
            // The thread that reads what it has said ends after the last line.
            while let Ok(report) = self.reports.recv() {
                self.keep(report);
            }
        }
        self.said(&mut pick)
    }

    fn take_unread<T>(&mut self, pick: &mut impl FnMut(&Event) -> Option<T>) -> Option<(At, T)> {
        let found = self.unread.iter().enumerate().find_map(|(i, report)| Some((i, pick(&report.event)?)));
        let (index, picked) = found?;
        let report = self.unread.remove(index)?;
        Some((report.at, picked))
    }

    /// Fails the test if the node has said something that should not have happened.
    pub(crate) fn check(&mut self) {
        while let Ok(report) = self.reports.try_recv() {
            self.keep(report);
        }
    }

    fn keep(&mut self, report: Report) {
        match &report.event {
            Event::Violation(text) => panic!("node {}: violation: {text}", self.pid()),
            Event::Failed(failure) => panic!("node {}: {}: {}", self.pid(), failure.kind, failure.text),
            _ => self.unread.push_back(report),
        }
    }

    /// Waits until it has a lock: when that was, and the token.
    pub(crate) fn locked(&mut self, name: &str) -> (At, u64) {
        self.wait_for(&format!("locked {name}"), |event| match event {
            Event::Locked { lock, token } if lock == name => Some(*token),
            _ => None,
        })
    }

    /// Waits until it has released a lock: when it began to.
    pub(crate) fn unlocked(&mut self, name: &str) -> At {
        let unlocked = self.wait_for(&format!("unlocked {name}"), |event| match event {
            Event::Unlocked { lock, began } if lock == name => Some(*began),
            _ => None,
        });
        unlocked.1
    }

    /// Waits until the guard of a lock has said that it is lost: when that was.
    pub(crate) fn lost(&mut self, name: &str) -> At {
        let is_it = |event: &Event| matches!(event, Event::Lost { lock } if lock == name).then_some(());
        self.wait_for(&format!("lost {name}"), is_it).0
    }

    /// Waits until the guard of a lock is in a state: just before when it was last seen in the one before.
    pub(crate) fn state(&mut self, name: &str, looked_for: &str) -> At {
        let reached = self.wait_for(&format!("{name} is {looked_for}"), |event| match event {
            Event::State { lock, state, until } if lock == name && state == looked_for => Some(*until),
            _ => None,
        });
        reached.1
    }

    /// Waits until it has stored a file.
    pub(crate) fn stored(&mut self, file: &str) {
        let is_it = |event: &Event| matches!(event, Event::Stored { path } if path == file).then_some(());
        self.wait_for(&format!("stored {file}"), is_it);
    }

    /// Waits until something has failed: the kind of the error.
    pub(crate) fn failed(&mut self) -> String {
        let failed = self.wait_for("failed", |event| match event {
            Event::Failed(failure) => Some(failure.kind.clone()),
            _ => None,
        });
        failed.1
    }

    /// Lets it load a file.
    pub(crate) fn load(&mut self, file: &str) -> String {
        self.tell(&Command::Load { path: file.to_owned() });
        let loaded = self.wait_for(&format!("loaded {file}"), |event| match event {
            Event::Loaded { path, content } if path == file => Some(content.clone()),
            _ => None,
        });
        loaded.1
    }

    /// Lets it look, until that many processes are in the queue of a lock.
    pub(crate) fn see_queue_of(&mut self, name: &str, length: usize) {
        until(&format!("{length} are in the queue of {name}"), || {
            self.tell(&Command::Locks);
            let seen = self.wait_for("locks", |event| match event {
                Event::Locks(seen) => Some(seen.iter().filter(|seen| seen.lock == name).count()),
                _ => None,
            });
            seen.1 == length
        });
    }

    /// Stops it as `SIGSTOP` does, and waits until it is.
    pub(crate) fn stop(&self) {
        self.signal("-STOP");
        self.wait_until_stopped();
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        self.signal("-CONT");
    }

    /// Kills it as `kill -9` does: just before that.
    pub(crate) fn kill(&mut self) -> At {
        let at = At::now();
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        at
    }

    pub(crate) fn wait_until_stopped(&self) {
        let stat = format!("/proc/{}/stat", self.pid());
        until("the node is stopped", || {
            let stat = fs::read_to_string(&stat).unwrap();
            // The state comes after the name, which is in parentheses.
            stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
        });
    }

    fn signal(&self, signal: &str) {
        let status = std::process::Command::new("kill").arg(signal).arg(self.pid().to_string()).status();
        assert!(status.unwrap().success(), "kill {signal} {}", self.pid());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
