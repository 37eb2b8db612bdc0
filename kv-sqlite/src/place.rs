use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use storage_core::kv::BackendError;

use crate::error;

/// Where a store lies.
#[derive(Debug)]
pub(crate) struct Place {
    /// Absolute and without links, so that all who open it mean the same files beside it.
    file: PathBuf,
    identity: Option<Identity>,
}

/// Which file is at a path: `None` where the system does not tell.
type Identity = (u64, u64);

impl Place {
    /// Finds the file of a store, and makes an empty one for its owner alone if there is none.
    ///
    /// It never opens a file that is there: closing it would end the locks that SQLite has on it in this process.
    pub(crate) fn find_or_make(path: &Path) -> Result<Self, BackendError> {
        let absolute =
            std::path::absolute(path).map_err(|_| error::unusable(path, "not a path of a file"))?;
        let Some(name) = absolute.file_name().map(ToOwned::to_owned) else {
            return Err(error::unusable(path, "not a path of a file"));
        };
        let file = match fs::canonicalize(&absolute) {
            Ok(file) => file,
            Err(missing) if missing.kind() == ErrorKind::NotFound => {
                // Whatever else is there now was made in between.
                if fs::symlink_metadata(&absolute).is_ok_and(|metadata| metadata.is_symlink()) {
                    return Err(error::unusable(path, "a link to a file that does not exist"));
                }
                let parent = absolute.parent().unwrap_or(Path::new("/"));
                let directory = fs::canonicalize(parent).map_err(|error| error::io(parent, error))?;
                let file = directory.join(name);
                make(&directory, &file).map_err(|error| error::io(&file, error))?;
                file
            }
            Err(error) => return Err(error::io(&absolute, error)),
        };
        let metadata = fs::metadata(&file).map_err(|error| error::io(&file, error))?;
        if metadata.is_dir() {
            return Err(error::unusable(path, "a directory, not a file"));
        }
        if !metadata.is_file() {
            return Err(error::unusable(path, "not a regular file"));
        }
        let place = Self { identity: identity(&metadata), file };
        place.check_access()?;
        Ok(place)
    }

    /// Refuses early what SQLite would answer less clearly: it takes a file that cannot be written for one to be read, and has
    /// one error for whatever it cannot open.
    fn check_access(&self) -> Result<(), BackendError> {
        let directory = self.file.parent().unwrap_or(Path::new("/"));
        for path in [directory, &self.file] {
            may_be_changed(path).map_err(|error| error::io(path, error))?;
        }
        Ok(())
    }

    /// The file of the database.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// A file beside it, whose name has this at its end.
    pub(crate) fn beside(&self, suffix: &str) -> PathBuf {
        let mut path = self.file.clone().into_os_string();
        path.push(suffix);
        path.into()
    }

    /// Refuses to go on when another file, or none, is where the store was.
    pub(crate) fn check_unmoved(&self) -> Result<(), BackendError> {
        match fs::metadata(&self.file) {
            Ok(metadata) if identity(&metadata) == self.identity => Ok(()),
            Ok(_) => Err(error::replaced(&self.file)),
            Err(missing) if missing.kind() == ErrorKind::NotFound => Err(error::replaced(&self.file)),
            // SQLite has the file open all the same, and knows better whether it can be used.
            Err(_) => Ok(()),
        }
    }

    /// Says in the log where locks of files are not to be relied on.
    pub(crate) fn warn_of_networks(&self) {
        if let Some(system) = network_file_system(&self.file) {
            tracing::warn!(
                path = %self.file.display(),
                "the store lies on {system}, a network file system: SQLite can lose data there when several hosts use it"
            );
        }
    }
}

/// Makes an empty file if there is none. It gets its name when it has its mode already and nobody has it open.
#[cfg(unix)]
fn make(directory: &Path, file: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    use std::sync::atomic::{AtomicU64, Ordering};

    static MADE: AtomicU64 = AtomicU64::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let unnamed = directory.join(format!(".kvfs-new-{}-{number}", std::process::id()));
    let _ = fs::remove_file(&unnamed);
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unnamed)?;
    let linked = fs::hard_link(&unnamed, file);
    fs::remove_file(&unnamed)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
fn make(_directory: &Path, file: &Path) -> std::io::Result<()> {
    match fs::OpenOptions::new().write(true).create_new(true).open(file) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Whether the process may read and write a file, or make files in a directory.
#[cfg(unix)]
fn may_be_changed(path: &Path) -> std::io::Result<()> {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    let access =
        if path.is_dir() { Access::WRITE_OK | Access::EXEC_OK } else { Access::READ_OK | Access::WRITE_OK };
    match accessat(CWD, path, access, AtFlags::EACCESS) {
        // Where the system cannot tell SQLite will find out.
        Err(rustix::io::Errno::NOSYS) => Ok(()),
        told => Ok(told?),
    }
}

#[cfg(not(unix))]
fn may_be_changed(path: &Path) -> std::io::Result<()> {
    let is_read_only = fs::metadata(path)?.permissions().readonly();
    if is_read_only && !path.is_dir() { Err(ErrorKind::PermissionDenied.into()) } else { Ok(()) }
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere there is none")]
fn identity(metadata: &fs::Metadata) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt as _;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(_metadata: &fs::Metadata) -> Option<Identity> {
    None
}

/// How the file system of a path is called, if it is one of those that a network lies behind.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn network_file_system(path: &Path) -> Option<&'static str> {
    /// The numbers by which the kernel tells file systems apart.
    const NETWORKS: [(u32, &str); 9] = [
        (0x0000_6969, "NFS"),
        (0xff53_4d42, "SMB"),
        (0xfe53_4d42, "SMB"),
        (0x0000_517b, "SMB"),
        (0x0102_1997, "9P"),
        (0x5346_414f, "AFS"),
        (0x00c3_6400, "Ceph"),
        (0x0bd0_0bd0, "Lustre"),
        (0x7375_7245, "Coda"),
    ];
    let system = rustix::fs::statfs(path).ok()?.f_type;
    NETWORKS
        .iter()
        .find(|(number, _)| i128::from(*number) == i128::from(system) & 0xffff_ffff)
        .map(|(_, name)| *name)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn network_file_system(_path: &Path) -> Option<&'static str> {
    None
}
