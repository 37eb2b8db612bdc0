//! Going back to an older state, as after a restore from a backup.

use std::path::Path;
use std::{fs, io};

use crate::EtcdProcess;
use crate::member::url;

impl EtcdProcess {
    /// Writes what it holds into a file, which must not exist.
    ///
    /// # Errors
    ///
    /// When `etcdctl` cannot be run or fails.
    pub fn save_snapshot(&self, file: &Path) -> io::Result<()> {
        self.etcdctl(&["snapshot", "save", &file.to_string_lossy()]).map(drop)
    }

    /// Kills it if it runs, replaces its data by a snapshot, and starts it again: its revision goes back. It must be alone.
    ///
    /// # Errors
    ///
    /// When `etcdctl` cannot be run or fails, and as for [`restart`](Self::restart).
    pub fn restore_snapshot(&mut self, file: &Path) -> io::Result<()> {
        self.kill()?;
        let data = self.data();
        fs::remove_dir_all(&data)?;
        let member = self.member();
        let options = [
            format!("--data-dir={}", data.display()),
            format!("--name={}", member.name),
            format!("--initial-cluster={}", member.cluster),
            format!("--initial-advertise-peer-urls={}", url(member.peer_port)),
        ];
        let mut arguments = vec!["snapshot", "restore"];
        let file = file.to_string_lossy();
        arguments.push(&file);
        arguments.extend(options.iter().map(String::as_str));
        self.etcdctl(&arguments)?;
        self.restart()
    }
}
