use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::member::{Member, url};
use crate::running::Running;
use crate::{EtcdBinary, EtcdBuilder, etcdctl, http};

/// A running etcd on loopback ports and a data directory of its own: alone, or a member of an
/// [`EtcdCluster`](crate::EtcdCluster).
///
/// Dropping it kills it and removes the directory.
#[derive(Debug)]
pub struct EtcdProcess {
    member: Member,
    folder: TempDir,
    /// `None` between [`kill`](Self::kill) and [`launch`](Self::launch).
    running: Option<Running>,
    /// Once it has users.
    root_password: Option<String>,
}

impl EtcdProcess {
    /// How long a server may take to become healthy.
    pub(crate) const START_DEADLINE: Duration = Duration::from_secs(20);

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
        EtcdBuilder::new(binary)
    }

    /// A server that does not run yet.
    pub(crate) fn new(member: Member) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("etcd-").tempdir()?;
        Ok(Self { member, folder, running: None, root_password: None })
    }

    pub(crate) fn member(&self) -> &Member {
        &self.member
    }

    /// Where it serves clients: `http://127.0.0.1:` and the port, or `https://` if it was started with TLS. Never a
    /// proxy.
    pub fn endpoint(&self) -> String {
        self.member.client_url()
    }

    /// Where it serves without encryption: for setting it up and for looking at it, whatever its certificates are like.
    pub fn plain_endpoint(&self) -> String {
        url(self.member.plain_port())
    }

    /// The address in [`endpoint`](Self::endpoint), for a [`FaultProxy`](crate::FaultProxy).
    pub fn client_address(&self) -> SocketAddr {
        self.member.client_address()
    }

    /// The program that it runs.
    pub fn binary(&self) -> &EtcdBinary {
        &self.member.binary
    }

    /// The number of its process, or `None` while it does not run.
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.child.id())
    }

    /// Whether it was started and has neither been killed nor ended on its own. A [paused](Self::pause) server runs.
    ///
    /// # Errors
    ///
    /// When the operating system does not tell.
    pub fn is_running(&mut self) -> io::Result<bool> {
        if let Some(running) = &mut self.running
            && running.child.try_wait()?.is_some()
        {
            // It is reaped now: nothing may be done to its number any more.
            self.running = None;
        }
        Ok(self.running.is_some())
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
        self.launch()?;
        self.wait_until_healthy()
    }

    /// [`restart`](Self::restart) without the wait. A member of a cluster of which the majority is down becomes healthy
    /// only when that is back.
    ///
    /// # Errors
    ///
    /// When it cannot be run.
    pub fn launch(&mut self) -> io::Result<()> {
        self.kill()?;
        let command = self.member.command(self.folder.path())?;
        let running = Running::start(command, self.folder.path());
        self.running = Some(running.map_err(|error| self.failure("could not be run", &error))?);
        Ok(())
    }

    /// Waits until it serves, which as a member of a cluster it does only with a majority.
    ///
    /// # Errors
    ///
    /// When it does not run, ends, or is not healthy within 20 s; with the end of its log.
    pub fn wait_until_healthy(&mut self) -> io::Result<()> {
        const POLL_INTERVAL: Duration = Duration::from_millis(20);
        let deadline = Instant::now() + Self::START_DEADLINE;
        loop {
            let last = match http::get(self.member.plain_port(), "/health") {
                Ok(body) if body.contains(r#""health":"true""#) => return Ok(()),
                Ok(body) => io::Error::other(body),
                Err(error) => error,
            };
            let Some(running) = &mut self.running else {
                return Err(self.failure("cannot become healthy", &"it does not run"));
            };
            if let Some(status) = running.child.try_wait()? {
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

    /// Stops its process as `SIGSTOP` does: it keeps its connections and answers nothing until
    /// [`resume`](Self::resume).
    ///
    /// # Errors
    ///
    /// When it does not run, or there is no `kill` program.
    pub fn pause(&self) -> io::Result<()> {
        self.child()?.pause()
    }

    /// Lets a process that was [paused](Self::pause) go on.
    ///
    /// # Errors
    ///
    /// As for [`pause`](Self::pause).
    pub fn resume(&self) -> io::Result<()> {
        self.child()?.resume()
    }

    /// Whether it can answer at all: it runs and is not [paused](Self::pause).
    pub(crate) fn is_awake(&self) -> bool {
        self.running.as_ref().is_some_and(|running| !running.is_paused())
    }

    /// The value of a Prometheus metric of the server that has no labels, or `None` if it has no such metric.
    ///
    /// # Errors
    ///
    /// When it does not answer.
    pub fn metric(&self, name: &str) -> io::Result<Option<f64>> {
        let metrics = http::get(self.member.plain_port(), "/metrics")?;
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(line.and_then(|value| value.trim().parse().ok()))
    }

    /// Runs `etcdctl` on its [`plain_endpoint`](Self::plain_endpoint), as root if it has users, and answers what that
    /// printed.
    ///
    /// # Errors
    ///
    /// When it cannot be run or fails; with what it printed.
    pub fn etcdctl(&self, arguments: &[&str]) -> io::Result<String> {
        self.etcdctl_with_input(arguments, "")
    }

    fn etcdctl_with_input(&self, arguments: &[&str], input: &str) -> io::Result<String> {
        let user = self.root_password.as_ref().map(|password| format!("--user=root:{password}"));
        let arguments: Vec<_> = user.as_deref().into_iter().chain(arguments.iter().copied()).collect();
        etcdctl::run_with_input(self.binary(), &[self.plain_endpoint()], &arguments, input)
    }

    /// Makes the user `root` with this password, and from then on refuses those who are nobody.
    ///
    /// # Errors
    ///
    /// As of [`etcdctl`](Self::etcdctl).
    pub fn enable_auth(&mut self, root_password: &str) -> io::Result<()> {
        self.etcdctl(&["user", "add", &format!("root:{root_password}")])?;
        self.etcdctl(&["user", "grant-role", "root", "root"])?;
        self.etcdctl(&["auth", "enable"])?;
        self.root_password = Some(root_password.to_owned());
        Ok(())
    }

    /// Makes a user, with a role of the same name that may read and write the keys with this prefix.
    ///
    /// # Errors
    ///
    /// As of [`etcdctl`](Self::etcdctl).
    pub fn add_user(&self, name: &str, password: &str, prefix: &str) -> io::Result<()> {
        self.etcdctl(&["role", "add", name])?;
        self.etcdctl(&["role", "grant-permission", "--prefix=true", name, "readwrite", prefix])?;
        self.etcdctl(&["user", "add", &format!("{name}:{password}")])?;
        self.etcdctl(&["user", "grant-role", name, name]).map(drop)
    }

    /// Gives a user another password.
    ///
    /// # Errors
    ///
    /// As of [`etcdctl`](Self::etcdctl).
    pub fn change_password(&self, name: &str, password: &str) -> io::Result<()> {
        let arguments = ["user", "passwd", "--interactive=false", name];
        self.etcdctl_with_input(&arguments, &format!("{password}\n")).map(drop)
    }

    /// The end of its log: its last warnings and errors.
    pub fn log(&self) -> String {
        const SHOWN_LINES: usize = 20;
        let log = fs::read(self.folder.path().join("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
    }

    /// Where its data lies.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn child(&self) -> io::Result<&Running> {
        self.running.as_ref().ok_or_else(|| io::Error::other("etcd does not run"))
    }

    fn failure(&self, what: &str, why: &dyn std::fmt::Display) -> io::Error {
        let EtcdBinary { version, path } = self.binary();
        let (path, log) = (path.display(), self.log());
        io::Error::other(format!("etcd {version} ({path}) {what}: {why}; its log: {log}"))
    }
}
