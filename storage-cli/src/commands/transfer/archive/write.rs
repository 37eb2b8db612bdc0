use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;
use std::time::SystemTime;

use storage_core::FilePath;
use tar::{Builder, EntryType, Header};
use tempfile::TempPath;

use super::time;

/// Writes a tar under a temporary name, readable by its owner only.
///
/// It has nothing but files, so that the same files give the same bytes: mode 0600, no owner, and the name and the time
/// in the ustar header where that has room for them, else in an extended header of POSIX.1-2001, which GNU tar, libarchive
/// and Go read.
pub(in super::super) struct Writer {
    builder: Builder<BufWriter<File>>,
    name: Option<TempPath>,
}

/// A tar that is whole, under its temporary name if it has one.
pub(in super::super) struct Written {
    pub(in super::super) file: File,
    pub(in super::super) name: Option<TempPath>,
}

impl Writer {
    /// Begins a tar in this directory, or one without a name.
    pub(in super::super) fn create(directory: Option<&Path>) -> io::Result<Self> {
        let (file, name) = match directory {
            None => (tempfile::tempfile()?, None),
            Some(directory) => {
                let file = tempfile::Builder::new().prefix(".kvfs-").tempfile_in(directory)?;
                let (file, name) = file.into_parts();
                (file, Some(name))
            }
        };
        Ok(Self { builder: Builder::new(BufWriter::with_capacity(256 * 1024, file)), name })
    }

    pub(in super::super) fn append(
        &mut self,
        path: &FilePath,
        content: &[u8],
        modified: Option<SystemTime>,
    ) -> io::Result<()> {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o600);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(content.len() as u64);
        let mut extended: Vec<(&str, String)> = Vec::new();
        if !path.as_str().is_ascii() || header.set_path(path.as_str()).is_err() {
            extended.push(("path", path.to_string()));
            header.set_path(stand_in(path))?;
        }
        match modified.map(|modified| (modified, time::whole(modified))) {
            Some((_, Some(seconds))) => header.set_mtime(seconds),
            Some((modified, None)) => {
                extended.push(("mtime", time::extended(modified)));
                // For those who read no extended headers: 0 says that it is not known.
                header.set_mtime(
                    modified
                        .duration_since(SystemTime::UNIX_EPOCH)
                        .map_or(0, |since| since.as_secs().min(0o77_777_777_777)),
                );
            }
            None => header.set_mtime(0),
        }
        header.set_cksum();
        self.builder.append_pax_extensions(extended.iter().map(|(key, value)| (*key, value.as_bytes())))?;
        self.builder.append(&header, content)
    }

    /// Ends the tar.
    pub(in super::super) fn finish(self) -> io::Result<Written> {
        let file = self.builder.into_inner()?.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        Ok(Written { file, name: self.name })
    }
}

/// A name for those who read no extended headers.
fn stand_in(path: &FilePath) -> String {
    /// The bytes that a header has for a name that is not divided.
    const ROOM: usize = 100;
    let plain = path.as_str().chars().map(|c| if c.is_ascii() { c } else { '_' });
    let name: String = plain.take(ROOM).collect();
    name.trim_end_matches('/').to_owned()
}
