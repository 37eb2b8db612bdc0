use std::fs::{self, File};
use std::io;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::watchdog::Watchdog;
use crate::{EtcdBinary, http, ports};

/// A running etcd of one member, on loopback ports and a data directory of its own.
///
/// Dropping it kills it and removes the directory.
#[derive(Debug)]
pub struct EtcdProcess {
    settings: EtcdBuilder,
    folder: TempDir,
    client_port: u16,
    peer_port: u16,
    /// `None` between [`kill`](Self::kill) and [`restart`](Self::restart).
    running: Option<Running>,
}

/// How an [`EtcdProcess`] is started.
#[derive(Clone, Debug)]
pub struct EtcdBuilder {
    binary: EtcdBinary,
    flags: Vec<String>,
}

impl EtcdBuilder {
    /// Adds a command-line flag, for instance `--max-request-bytes=65536`.
    pub fn with_flag(mut self, flag: impl Into<String>) -> Self {
        self.flags.push(flag.into());
        self
    }

    /// Starts it and waits until it is healthy.
    ///
    /// # Errors
    ///
    /// When it cannot be run, or does not become healthy in time; with the end of its log.
    pub fn start(self) -> io::Result<EtcdProcess> {
        // Somebody may take a port between the moment we learn that it is free and the moment etcd listens on it.
        const ATTEMPTS: usize = 5;
        let mut attempt = 1;
        loop {
            let [client_port, peer_port] = ports::free()?;
            let folder = tempfile::Builder::new().prefix("etcd-").tempdir()?;
            let settings = self.clone();
            let mut process = EtcdProcess { settings, folder, client_port, peer_port, running: None };
            match process.restart() {
                Ok(()) => return Ok(process),
                Err(_) if process.log().contains("address already in use") && attempt < ATTEMPTS => {
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl EtcdProcess {
    /// How long a server may take to become healthy.
    const START_DEADLINE: Duration = Duration::from_secs(20);

    /// Starts a server with etcd's default settings and waits until it is healthy.
    ///
    /// # Errors
    ///
    /// As for [`EtcdBuilder::start`].
    pub fn start(binary: &EtcdBinary) -> io::Result<Self> {
        Self::builder(binary).start()
    }

    /// For settings other than the default ones.
    pub fn builder(binary: &EtcdBinary) -> EtcdBuilder {
        EtcdBuilder { binary: binary.clone(), flags: Vec::new() }
    }

    /// Where it serves clients: `http://127.0.0.1:` and the port.
    pub fn endpoint(&self) -> String {
        url(self.client_port)
    }

    /// The program that it runs.
    pub fn binary(&self) -> &EtcdBinary {
        &self.settings.binary
    }

    /// The number of its process, or `None` while it does not run.
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.child.id())
    }

    /// Kills it as `kill -9` does, and waits until it is gone. Its data and ports stay for [`restart`](Self::restart).
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn kill(&mut self) -> io::Result<()> {
        self.running.take().map_or(Ok(()), Running::kill)
    }

    /// Starts it again with its data, on its ports, after killing it if it runs; waits until it is healthy.
    ///
    /// # Errors
    ///
    /// As for [`EtcdBuilder::start`].
    pub fn restart(&mut self) -> io::Result<()> {
        self.kill()?;
        let child = self.command()?.spawn().map_err(|error| self.failure("could not be run", &error))?;
        let watchdog = Watchdog::over(child.id(), self.folder.path());
        self.running = Some(Running { child, watchdog });
        self.wait_until_healthy()
    }

    /// Stops its process as `SIGSTOP` does: it keeps its connections and answers nothing until
    /// [`resume`](Self::resume).
    ///
    /// # Errors
    ///
    /// When it does not run, or there is no `kill` program.
    pub fn pause(&self) -> io::Result<()> {
        self.signal("-STOP")
    }

    /// Lets a process that was [paused](Self::pause) go on.
    ///
    /// # Errors
    ///
    /// As for [`pause`](Self::pause).
    pub fn resume(&self) -> io::Result<()> {
        self.signal("-CONT")
    }

    /// The value of a Prometheus metric of the server that has no labels, or `None` if it has no such metric.
    ///
    /// # Errors
    ///
    /// When it does not answer.
    pub fn metric(&self, name: &str) -> io::Result<Option<f64>> {
        let metrics = http::get(self.client_port, "/metrics")?;
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(line.and_then(|value| value.trim().parse().ok()))
    }

    /// Runs `etcdctl` on it and answers what that printed.
    ///
    /// # Errors
    ///
    /// When it cannot be run or fails; with what it printed.
    pub fn etcdctl(&self, arguments: &[&str]) -> io::Result<String> {
        let mut command = Command::new(self.settings.binary.etcdctl());
        command.env("ETCDCTL_API", "3").arg(format!("--endpoints={}", self.endpoint())).args(arguments);
        let output = command.output()?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            Ok(printed)
        } else {
            let error = String::from_utf8_lossy(&output.stderr);
            Err(io::Error::other(format!("etcdctl {} failed: {printed}{error}", arguments.join(" "))))
        }
    }

    /// The end of its log: its last warnings and errors.
    pub fn log(&self) -> String {
        const SHOWN_LINES: usize = 20;
        let log = fs::read(self.folder.path().join("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
    }

    fn command(&self) -> io::Result<Command> {
        let log = File::options().create(true).append(true).open(self.folder.path().join("log"))?;
        let (client, peer) = (url(self.client_port), url(self.peer_port));
        let mut command = Command::new(&self.settings.binary.path);
        // etcd takes every variable of this name for a setting, `ETCD_BIN` of our own included.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ETCD_")) {
            command.env_remove(name);
        }
        command
            .args(["--name=member", "--logger=zap", "--log-level=warn"])
            .arg(format!("--data-dir={}", self.folder.path().join("data").display()))
            .arg(format!("--listen-client-urls={client}"))
            .arg(format!("--advertise-client-urls={client}"))
            .arg(format!("--listen-peer-urls={peer}"))
            .arg(format!("--initial-advertise-peer-urls={peer}"))
            .arg(format!("--initial-cluster=member={peer}"))
            .args(&self.settings.flags)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        Ok(command)
    }

    fn wait_until_healthy(&mut self) -> io::Result<()> {
        const POLL_INTERVAL: Duration = Duration::from_millis(20);
        let deadline = Instant::now() + Self::START_DEADLINE;
        loop {
            let last = match http::get(self.client_port, "/health") {
                Ok(body) if body.contains(r#""health":"true""#) => return Ok(()),
                Ok(body) => io::Error::other(body),
                Err(error) => error,
            };
            if let Some(running) = &mut self.running
                && let Some(status) = running.child.try_wait()?
            {
                self.running = None;
                return Err(self.failure("ended before it became healthy", &status));
            }
            if Instant::now() >= deadline {
                let within = format!("did not become healthy within {} s", Self::START_DEADLINE.as_secs());
                return Err(self.failure(&within, &last));
            }
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    fn failure(&self, what: &str, why: &dyn std::fmt::Display) -> io::Error {
        let binary = &self.settings.binary;
        let (version, path) = (&binary.version, binary.path.display());
        io::Error::other(format!("etcd {version} ({path}) {what}: {why}; its log: {}", self.log()))
    }

    fn signal(&self, signal: &str) -> io::Result<()> {
        let pid = self.pid().ok_or_else(|| io::Error::other("etcd does not run"))?;
        let status = Command::new("kill").arg(signal).arg(pid.to_string()).status()?;
        if status.success() {
            Ok(())
        } else {
            Err(io::Error::other(format!("kill {signal} {pid}: {status}")))
        }
    }
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// The child process; killed and reaped when it is dropped.
#[derive(Debug)]
struct Running {
    child: Child,
    watchdog: Option<Watchdog>,
}

impl Running {
    fn kill(mut self) -> io::Result<()> {
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        self.child.kill()?;
        // Before the process is reaped: until then nobody else has its number.
        self.watchdog = None;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.end();
    }
}
