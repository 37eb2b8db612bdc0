use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use storage_core::{ErrorKind, FilePath};
use tar::{Entry, EntryType};

use super::super::{Item, Loaded, Survey, Verb, find};
use super::time;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::location::TarFile;

/// A tar that is read.
#[derive(Clone)]
pub(in super::super) struct Archive {
    file: Arc<Mutex<File>>,
    name: Arc<str>,
}

/// The size of a block: headers are of one, and contents are filled up to the next.
const BLOCK: u64 = 512;

impl Archive {
    /// Opens a tar. One on standard input is read into a temporary file first, so that all of it is known before
    /// anything is done with it.
    pub(in super::super) fn open(verb: Verb, tar: &TarFile) -> Result<Self, Failure> {
        let name = match tar {
            TarFile::Standard => "standard input".to_owned(),
            TarFile::File(path) => path.display().to_string(),
        };
        let opened = match tar {
            TarFile::File(path) => File::open(path),
            TarFile::Standard => spooled(),
        };
        let file = opened.map_err(|error| Failure::local(verb.about(&name), &error))?;
        Ok(Self::of(file, name))
    }

    /// A tar that is open already.
    pub(in super::super) fn of(file: File, name: String) -> Self {
        Self { file: Arc::new(Mutex::new(file)), name: name.into() }
    }

    pub(in super::super) fn name(&self) -> &str {
        &self.name
    }

    /// Reads all headers.
    ///
    /// # Errors
    ///
    /// When it is no tar, or not a whole one: then nothing in it can be trusted to be all.
    pub(in super::super) fn survey(&self, verb: Verb, interrupt: &Interrupt) -> Result<Survey, Failure> {
        let about = verb.about(&self.name);
        let broken = |why: &str| Failure::new(Exit::Unavailable, "invalid_tar", format!("{about}: {why}"));
        let unreadable = |error: &io::Error| broken(&format!("not a whole tar: {error}"));
        let mut file = self.file();
        let length = length(&mut file, &broken)?;
        let mut survey = Survey::default();
        let mut end = 0;
        let mut archive = tar::Archive::new(&*file);
        for entry in archive.entries_with_seek().map_err(|error| unreadable(&error))? {
            interrupt.check(|| format!("{about}: interrupted; nothing was changed"))?;
            let mut entry = entry.map_err(|error| unreadable(&error))?;
            let stored = if entry.header().entry_type() == EntryType::GNUSparse {
                entry.header().entry_size().map_err(|error| unreadable(&error))?
            } else {
                entry.size()
            };
            end = entry.raw_file_position().saturating_add(stored);
            if end > length {
                return Err(broken("it is cut off in the middle of a file"));
            }
            end = end.next_multiple_of(BLOCK);
            add(&about, &mut entry, &mut survey);
        }
        if !is_ended(&mut file, end).map_err(|error| unreadable(&error))? {
            return Err(broken("it has no end: it is cut off, or no tar"));
        }
        last_of_each(&about, &mut survey);
        Ok(survey)
    }

    /// Reads a file that was surveyed.
    pub(in super::super) fn load(&self, verb: Verb, item: &Item) -> Result<Loaded, Failure> {
        let read = || -> io::Result<Vec<u8>> {
            let mut file = self.file();
            file.seek(SeekFrom::Start(item.at))?;
            let mut content = Vec::new();
            Read::by_ref(&mut *file).take(item.size).read_to_end(&mut content)?;
            if content.len() as u64 == item.size {
                Ok(content)
            } else {
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it has become shorter"))
            }
        };
        let content = read().map_err(|error| {
            Failure::local(format!("{}: {}", verb.about(item.path.as_str()), self.name), &error)
        })?;
        Ok(Loaded::new(content.into(), item.modified))
    }

    fn file(&self) -> MutexGuard<'_, File> {
        // Whoever has read a part of it left nothing but a position behind.
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn spooled() -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    io::copy(&mut io::stdin().lock(), &mut file)?;
    Ok(file)
}

/// The length of the file, if it may be a tar.
fn length(file: &mut File, broken: &dyn Fn(&str) -> Failure) -> Result<u64, Failure> {
    let mut start = Vec::new();
    let measured = (|| {
        file.rewind()?;
        Read::by_ref(file).take(BLOCK).read_to_end(&mut start)?;
        let length = file.seek(SeekFrom::End(0))?;
        file.rewind()?;
        Ok::<_, io::Error>(length)
    })();
    let length = measured.map_err(|error| broken(&format!("cannot read it: {error}")))?;
    // The first bytes of what gzip, zstd, xz and bzip2 write.
    let magics: [&[u8]; 4] = [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ", b"BZh"];
    if magics.iter().any(|magic| start.starts_with(magic)) {
        return Err(broken("it is compressed; decompress it first, as with zcat FILE | kvfs import -"));
    }
    if length == 0 {
        return Err(broken("it is empty, and so no tar"));
    }
    Ok(length)
}

/// Whether a block of zeros is here, which ends a tar. One that is cut off between two files has none.
fn is_ended(file: &mut File, at: u64) -> io::Result<bool> {
    let mut block = Vec::new();
    file.seek(SeekFrom::Start(at))?;
    Read::by_ref(file).take(BLOCK).read_to_end(&mut block)?;
    Ok(block.len() as u64 == BLOCK && block.iter().all(|byte| *byte == 0))
}

fn add<R: Read>(about: &str, entry: &mut Entry<'_, R>, survey: &mut Survey) {
    let name = entry.path_bytes().into_owned();
    let shown = String::from_utf8_lossy(&name).into_owned();
    let kind = entry.header().entry_type();
    let refused = |why: &str| Failure::of_kind(ErrorKind::InvalidPath, format!("{about}: {shown:?}: {why}"));
    let is_file = matches!(kind, EntryType::Regular | EntryType::Continuous);
    if matches!(kind, EntryType::Directory | EntryType::XGlobalHeader) || is_file && name.ends_with(b"/") {
        // What says nothing about a file; in tars without types a slash ends the names of directories.
        return;
    }
    match relative(&name) {
        Err(why) => survey.problems.push(refused(&why)),
        Ok(_) if kind == EntryType::GNUSparse || is_sparse(entry) => {
            survey.problems.push(refused("a sparse file, which kvfs does not read; write the tar without"));
        }
        Ok(_) if !is_file => {
            let what = "skipped: a link, a device or something else that is no file";
            survey.skipped.push(Failure::usage(format!("{about}: {shown:?}: {what}")));
        }
        Ok(path) => {
            let (size, at) = (entry.size(), entry.raw_file_position());
            survey.items.push(Item { modified: modified(entry), at, ..Item::new(path, size) });
        }
    }
}

/// The path of a name, or why it has none.
fn relative(name: &[u8]) -> Result<FilePath, String> {
    let mut name = std::str::from_utf8(name).map_err(|_| "invalid path: it is not UTF-8".to_owned())?;
    while let Some(rest) = name.strip_prefix("./") {
        name = rest.trim_start_matches('/');
    }
    if name.starts_with('/') {
        return Err("invalid path: it is absolute; write the tar with relative names".to_owned());
    }
    let path = FilePath::parse(name).map_err(|error| error.to_string())?;
    if path.is_root() { Err("invalid path: it has no name".to_owned()) } else { Ok(path) }
}

/// Whether the content is only the parts of a file that are not zero. Newer tars say so in an extended header.
fn is_sparse<R: Read>(entry: &mut Entry<'_, R>) -> bool {
    let extensions = entry.pax_extensions().ok().flatten();
    extensions.into_iter().flatten().flatten().any(|field| field.key_bytes().starts_with(b"GNU.sparse."))
}

/// When a file was written. 1970 is what tars say that do not know.
fn modified<R: Read>(entry: &mut Entry<'_, R>) -> Option<SystemTime> {
    let extensions = entry.pax_extensions().ok().flatten();
    let extended = extensions.into_iter().flatten().flatten().find(|field| field.key_bytes() == b"mtime");
    let extended = extended.and_then(|field| field.value().ok().and_then(time::parse));
    let in_header = || {
        let seconds = entry.header().mtime().ok()?;
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
    };
    extended.or_else(in_header).filter(|time| *time != SystemTime::UNIX_EPOCH)
}

/// Puts the files in order. Of those with the same path the last counts, as when a tar is unpacked: who appends to a tar
/// replaces what is in it.
fn last_of_each(about: &str, survey: &mut Survey) {
    survey.items.sort_by(|a, b| a.path.cmp(&b.path));
    let mut items: Vec<Item> = Vec::with_capacity(survey.items.len());
    for item in survey.items.drain(..) {
        match items.last_mut() {
            Some(last) if last.path == item.path => {
                let what = "skipped: the same name comes again later, and that file counts";
                survey.skipped.push(Failure::usage(format!("{about}: {:?}: {what}", item.path.as_str())));
                *last = item;
            }
            _ => items.push(item),
        }
    }
    for item in &items {
        if let Some(above) = item.path.ancestors().find(|above| find(&items, above).is_some()) {
            let why = format!("{:?} is a file too, so nothing can lie below it", above.as_str());
            let message = format!("{about}: {:?}: {why}", item.path.as_str());
            survey.problems.push(Failure::of_kind(ErrorKind::NotADirectory, message));
        }
    }
    survey.items = items;
}
