use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Kills a server and removes its files when this process ends without having done so: see the crate's documentation.
#[derive(Debug)]
pub(crate) struct Watchdog {
    shell: Child,
}

impl Watchdog {
    /// Sleeps in `read` until the pipe closes. An interrupt from the terminal goes to it as well, and must not end it
    /// before its work is done.
    const SCRIPT: &str = r#"trap "" INT TERM HUP; read _; kill -9 "$1"; rm -rf -- "$2""#;

    /// Watches over the process `pid`, whose files are in `folder`. `None` where there is no shell: then the server
    /// outlives a killed parent.
    pub(crate) fn over(pid: u32, folder: &Path) -> Option<Self> {
        let shell = Command::new("sh")
            .args(["-c", Self::SCRIPT, "watchdog", &pid.to_string()])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        shell.ok().map(|shell| Self { shell })
    }
}

impl Drop for Watchdog {
    /// Ends the watch without an act. The server must not have been reaped yet: its number could name another process.
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}
