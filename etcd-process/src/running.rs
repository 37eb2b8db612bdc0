use std::io;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::watchdog::Watchdog;

/// The child process of a server; killed and reaped when it is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) child: Child,
    watchdog: Option<Watchdog>,
    paused: AtomicBool,
}

impl Running {
    /// Starts the command. Should this process die, its watchdog kills it and removes the folder.
    pub(crate) fn start(mut command: Command, folder: &Path) -> io::Result<Self> {
        let child = command.spawn()?;
        let watchdog = Watchdog::over(child.id(), folder);
        Ok(Self { child, watchdog, paused: AtomicBool::new(false) })
    }

    pub(crate) fn kill(mut self) -> io::Result<()> {
        self.end()
    }

    pub(crate) fn pause(&self) -> io::Result<()> {
        self.signal("-STOP")?;
        self.paused.store(true, Ordering::Relaxed);
        Ok(())
    }

    pub(crate) fn resume(&self) -> io::Result<()> {
        self.signal("-CONT")?;
        self.paused.store(false, Ordering::Relaxed);
        Ok(())
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed)
    }

    fn signal(&self, signal: &str) -> io::Result<()> {
        let pid = self.child.id();
        let status = Command::new("kill").arg(signal).arg(pid.to_string()).status()?;
        if status.success() {
            Ok(())
        } else {
            Err(io::Error::other(format!("kill {signal} {pid}: {status}")))
        }
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
