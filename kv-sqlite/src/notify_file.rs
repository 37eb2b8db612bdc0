use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::path::PathBuf;

use storage_core::kv::BackendError;

use crate::error;
use crate::place::Place;

/// The file beside the store through which its processes take turns and tell each other of commits.
///
/// Neither is needed for the store to be right: SQLite's own locks see to that. The turn makes waiting for them short and
/// fair, and who is told need not look again and again.
#[derive(Debug)]
pub(crate) struct NotifyFile {
    path: PathBuf,
    file: File,
}

impl NotifyFile {
    /// Opens it, and makes one for the owner of the store alone if there is none.
    pub(crate) fn open(place: &Place) -> Result<Self, BackendError> {
        let path = place.beside("-notify");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = match options.open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(error::replaced(place.file())),
            Err(error) => return Err(error::io(&path, error)),
        };
        Ok(Self { path, file })
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Waits for our turn among those who want to write. Where the file system has no such locks it is always ours.
    pub(crate) fn take_turn(&self) -> Turn<'_> {
        lock(&self.file);
        Turn(&self.file)
    }

    /// Tells all who watch the file that something has been committed. If that fails they find out later.
    pub(crate) fn tell(&self) {
        if let Err(error) = write_byte(&self.file) {
            tracing::debug!(%error, "other processes are told late of a commit");
        }
    }
}

/// The turn to write; over when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'f>(&'f File);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        unlock(self.0);
    }
}

#[cfg(unix)]
fn lock(file: &File) {
    use rustix::fs::{FlockOperation, flock};
    while flock(file, FlockOperation::LockExclusive) == Err(rustix::io::Errno::INTR) {}
}

#[cfg(unix)]
fn unlock(file: &File) {
    let _ = rustix::fs::flock(file, rustix::fs::FlockOperation::Unlock);
}

#[cfg(unix)]
fn write_byte(file: &File) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, b"\n", 0)
}

#[cfg(not(unix))]
fn lock(_file: &File) {}

#[cfg(not(unix))]
fn unlock(_file: &File) {}

#[cfg(not(unix))]
fn write_byte(mut file: &File) -> std::io::Result<()> {
    use std::io::{Seek as _, SeekFrom, Write as _};
    file.seek(SeekFrom::Start(0))?;
    file.write_all(b"\n")
}
