//! What is in a local directory.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use storage_core::{ErrorKind, FilePath};
use walkdir::{DirEntry, WalkDir};

use super::left_out::LeftOut;
use super::{Hidden, Item, Loaded, Shape, Survey, Verb};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::local::read_within;

/// Looks at everything in the directory, without following symbolic links.
pub(super) fn survey(
    verb: Verb,
    root: &Path,
    hidden: Hidden,
    interrupt: &Interrupt,
) -> Result<Survey, Failure> {
    let left_out = LeftOut::of(root);
    let mut found = Survey::default();
    let mut entries = WalkDir::new(root).min_depth(1).sort_by_file_name().into_iter();
    while let Some(entry) = entries.next() {
        interrupt.check(|| format!("{}: interrupted; nothing was changed", verb.about(&shown(root))))?;
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let message = format!("{}: {error}", verb.name());
                found.problems.push(Failure::of_kind(ErrorKind::Unavailable, message));
                continue;
            }
        };
        let about = verb.about(&shown(entry.path()));
        let skip = |what: &str| Failure::usage(format!("{about}: skipped: {what}"));
        let below = entry.path().strip_prefix(root).expect("what is found in a directory lies below it");
        let reason = match hidden {
            Hidden::Taken => None,
            Hidden::LeftOut => left_out.reason(&below.to_string_lossy()),
        };
        if let Some(what) = reason {
            found.skipped.push(skip(&format!("{what}; --all takes it")));
            if entry.file_type().is_dir() {
                entries.skip_current_dir();
            }
        } else if entry.file_type().is_file() {
            match item(below, &entry) {
                Ok(item) => found.items.push(item),
                Err(problem) => found.problems.push(problem.within(&about)),
            }
        } else if !entry.file_type().is_dir() {
            found.skipped.push(skip("a symbolic link or no regular file"));
        }
    }
    // The walk goes by the names in each directory, and not by whole paths.
    found.items.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// A file that is not in a directory to look at. The answer's root is the directory that it is in.
pub(super) fn file(verb: Verb, path: &Path) -> Result<(PathBuf, Survey), Failure> {
    let about = verb.about(&shown(path));
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Failure::usage(format!("{about}: not a file; name one")));
    };
    let metadata = path.metadata().map_err(|error| Failure::local(&about, &error))?;
    if !metadata.is_file() {
        return Err(Failure::usage(format!("{about}: not a regular file; name a file or a directory")));
    }
    let item = Item {
        modified: metadata.modified().ok(),
        ..Item::new(path_of(Path::new(name)).map_err(|failure| failure.within(&about))?, metadata.len())
    };
    let parent = if parent == Path::new("") { Path::new(".") } else { parent };
    Ok((parent.to_owned(), Survey { shape: Shape::File, items: vec![item], ..Survey::default() }))
}

/// The file of this path, if there is one.
pub(super) fn find(root: &Path, path: &FilePath) -> Option<Item> {
    let metadata = fs::symlink_metadata(local(root, path)).ok()?;
    let item = Item::new(path.clone(), metadata.len());
    metadata.is_file().then(|| Item { modified: metadata.modified().ok(), ..item })
}

/// Reads a file that was surveyed.
pub(super) fn load(verb: Verb, root: &Path, path: &FilePath, limit: usize) -> Result<Loaded, Failure> {
    let source = local(root, path);
    let name = verb.about(&shown(&source));
    let file = File::open(&source).map_err(|error| Failure::local(&name, &error))?;
    let modified = file.metadata().and_then(|metadata| metadata.modified()).ok();
    Ok(Loaded::new(read_within(limit, &name, file)?, modified))
}

/// Where a file of this path lies.
pub(super) fn local(root: &Path, path: &FilePath) -> PathBuf {
    root.join(path.as_str())
}

pub(super) fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn item(below: &Path, entry: &DirEntry) -> Result<Item, Failure> {
    let path = path_of(below)?;
    // Opened, to find out before anything is written that it cannot be.
    let opened = File::open(entry.path()).and_then(|file| file.metadata());
    let metadata = opened.map_err(|error| Failure::local("cannot read it", &error))?;
    Ok(Item { modified: metadata.modified().ok(), ..Item::new(path, metadata.len()) })
}

/// The path in a tree of what lies here below its root.
fn path_of(below: &Path) -> Result<FilePath, Failure> {
    let mut path = String::new();
    for component in below.components() {
        let Some(component) = component.as_os_str().to_str() else {
            let message = "invalid path: its name is not UTF-8; rename it";
            return Err(Failure::of_kind(ErrorKind::InvalidPath, message));
        };
        path.push('/');
        path.push_str(component);
    }
    FilePath::parse(&path).map_err(|error| Failure::of_kind(error.kind(), format!("{error}; rename it")))
}
