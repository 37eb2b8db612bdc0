//! Files of this machine: read within a limit, and written whole or not at all.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::SystemTime;

use bytes::Bytes;
use storage_core::ErrorKind;

use crate::failure::Failure;

/// What to do when there is another file already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    Keep,
    Replace,
}

/// What a path of this machine names, itself and not what a symbolic link points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Nothing,
    File,
    Directory,
    /// A symbolic link, a pipe, a device …
    Other,
}

impl Found {
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_file() => Ok(Self::File),
            Ok(metadata) if metadata.is_dir() => Ok(Self::Directory),
            Ok(_) => Ok(Self::Other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::Nothing),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::Nothing => "not there",
            Self::File => "a file",
            Self::Directory => "a directory",
            Self::Other => "a symbolic link or no regular file",
        }
    }
}

/// Runs what blocks the thread, such as reading a file, beside the asynchronous work.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Reads all there is, but no more than the store takes in a file: the rest is not even looked at.
pub(crate) fn read_within(limit: usize, what: &str, from: impl Read) -> Result<Bytes, Failure> {
    let mut content = Vec::new();
    let most = (limit as u64).saturating_add(1);
    from.take(most).read_to_end(&mut content).map_err(|error| Failure::local(what, &error))?;
    if content.len() > limit {
        return Err(too_large(what, limit));
    }
    // Boxed, so that it keeps no room that it does not need while it waits, or lies in a store of this process.
    Ok(content.into_boxed_slice().into())
}

pub(crate) fn too_large(what: &str, limit: usize) -> Failure {
    let message = format!("{what}: too large: the store takes at most {limit} bytes in a file");
    Failure::of_kind(ErrorKind::TooLarge, message)
}

/// Writes a file that only its owner may read, whole or not at all: under another name first, then it takes its own.
///
/// # Errors
///
/// `AlreadyExists` where `Existing::Keep` finds something. Nothing is left behind.
pub(crate) fn write(path: &Path, content: &[u8], existing: Existing) -> io::Result<()> {
    write_of(path, content, None, existing)
}

/// As [`write()`], with the time at which the file counts as written, where the file system can hold it.
pub(crate) fn write_of(
    path: &Path,
    content: &[u8],
    modified: Option<SystemTime>,
    existing: Existing,
) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    // With mode 0600: it may be a private key.
    let mut file = tempfile::Builder::new().prefix(".kvfs-").tempfile_in(directory)?;
    file.write_all(content)?;
    if let Some(modified) = modified {
        // The content is what counts.
        let _ = file.as_file().set_modified(modified);
    }
    file.as_file().sync_all()?;
    let kept = match existing {
        Existing::Keep => file.persist_noclobber(path),
        Existing::Replace => file.persist(path),
    };
    kept.map_err(|error| error.error)?;
    sync_directory(directory)
}

/// Makes a directory and those above it, for its owner only.
pub(crate) fn create_directory(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Makes the name of a new file as lasting as its content.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    // Elsewhere a directory cannot be opened.
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn reading_ends_one_byte_beyond_the_limit() {
        assert_eq!(read_within(3, "x", &b"abc"[..]).unwrap(), "abc");
        let endless = read_within(3, "x", io::repeat(0)).unwrap_err();
        assert_eq!(endless.exit(), Exit::Usage);
        assert!(format!("{endless:?}").contains("at most 3 bytes"), "{endless:?}");
    }

    #[test]
    fn a_write_that_fails_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        write(&path, b"one", Existing::Keep).unwrap();
        let refused = write(&path, b"two", Existing::Keep).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"one");
        write(&path, b"three", Existing::Replace).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"three");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    }
}
