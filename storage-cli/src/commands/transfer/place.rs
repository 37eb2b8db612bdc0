//! Puts files into a local directory, and nowhere else.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use storage_core::{ErrorKind, FilePath, Sha1Digest};

use super::{Loaded, OfOneFile};
use crate::failure::Failure;
use crate::local::{self, Existing, Found, create_directory};

/// Where a file of a tree goes below a directory, and whether there is one.
#[derive(Debug)]
pub(super) enum Spot {
    Free(PathBuf),
    Taken(PathBuf),
}

/// Looks where a file would go, without changing anything.
///
/// The inner result is about this file only: something stands in its way. The outer one is about the disk.
pub(super) fn spot(dir: &Path, path: &FilePath, about: &str) -> OfOneFile<Spot> {
    let Some(target) = below(dir, path) else {
        return Ok(Err(conflict(about, dir, "cannot hold a file of this name on this system")));
    };
    for directory in ancestors(dir, &target) {
        match Found::at(directory).map_err(|error| failed(about, directory, &error))? {
            Found::Directory => {}
            Found::Nothing => return Ok(Ok(Spot::Free(target))),
            found @ (Found::File | Found::Other) => {
                let what = format!("is {}, where a directory is needed; move it away", found.describe());
                return Ok(Err(conflict(about, directory, &what)));
            }
        }
    }
    match Found::at(&target).map_err(|error| failed(about, &target, &error))? {
        Found::Nothing => Ok(Ok(Spot::Free(target))),
        Found::File => Ok(Ok(Spot::Taken(target))),
        found @ (Found::Directory | Found::Other) => {
            Ok(Err(conflict(about, &target, &format!("is {}; move it away", found.describe()))))
        }
    }
}

/// Whether a file has this content.
pub(super) fn holds(target: &Path, size: u64, sha1: Sha1Digest, about: &str) -> Result<bool, Failure> {
    let is_same = || -> io::Result<bool> {
        Ok(fs::metadata(target)?.len() == size && Sha1Digest::of(&fs::read(target)?) == sha1)
    };
    is_same().map_err(|error| Failure::local(format!("{about}: cannot read {}", target.display()), &error))
}

/// Writes a file, and reads it back.
pub(super) fn write(spot: &Spot, file: &Loaded, existing: Existing, about: &str) -> OfOneFile<()> {
    let (Spot::Free(target) | Spot::Taken(target)) = spot;
    if matches!((spot, existing), (Spot::Taken(_), Existing::Keep)) {
        return Ok(Err(conflict(about, target, "has another content; --force replaces it")));
    }
    if let Some(directory) = target.parent() {
        create_directory(directory).map_err(|error| failed(about, directory, &error))?;
    }
    match local::write_of(target, &file.content, file.modified, existing) {
        Ok(()) => verify(target, file, about).map(Ok),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Ok(Err(conflict(about, target, "was made by somebody else just now; --force replaces it")))
        }
        Err(error) => Err(failed(about, target, &error)),
    }
}

/// Removes a file, and the directories above it that are empty then.
pub(super) fn remove(dir: &Path, path: &FilePath, about: &str) -> Result<(), Failure> {
    let Some(target) = below(dir, path) else { return Ok(()) };
    match fs::remove_file(&target) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Failure::local(format!("{about}: cannot delete {}", target.display()), &error));
        }
        _ => {}
    }
    for directory in ancestors(dir, &target).iter().rev() {
        if fs::remove_dir(directory).is_err() {
            break;
        }
    }
    Ok(())
}

fn conflict(about: &str, target: &Path, what: &str) -> Failure {
    let target = target.display();
    Failure::of_kind(ErrorKind::AlreadyExists, format!("{about}: {target} {what}"))
}

fn failed(about: &str, target: &Path, error: &io::Error) -> Failure {
    Failure::local(format!("{about}: cannot write {}", target.display()), error)
}

/// Reads back what was written, against the checksum of what was to be written.
fn verify(target: &Path, file: &Loaded, about: &str) -> Result<(), Failure> {
    let name = target.display();
    let read = fs::read(target);
    let read = read.map_err(|error| Failure::local(format!("{about}: cannot read {name} back"), &error))?;
    if file.sha1 == Sha1Digest::of(&read) {
        return Ok(());
    }
    let error = io::Error::new(io::ErrorKind::InvalidData, "it does not hold what was written");
    Err(Failure::local(format!("{about}: {name}"), &error))
}

/// The local path of these components, if each is a plain name here. On Unix all are; elsewhere one may mean a drive.
fn below(dir: &Path, path: &FilePath) -> Option<PathBuf> {
    let mut local = dir.to_owned();
    for component in path.components() {
        let mut parts = Path::new(component).components();
        match (parts.next(), parts.next()) {
            (Some(std::path::Component::Normal(name)), None) if name == component => local.push(name),
            _ => return None,
        }
    }
    Some(local)
}

/// The directories between `dir` and the target, from the top, without either.
fn ancestors<'a>(dir: &Path, target: &'a Path) -> Vec<&'a Path> {
    let mut above: Vec<_> = target.ancestors().skip(1).take_while(|above| *above != dir).collect();
    above.reverse();
    above
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(path: &str) -> FilePath {
        FilePath::parse(path).unwrap()
    }

    #[test]
    fn a_file_lies_below_its_directory() {
        let dir = Path::new("out");
        assert_eq!(below(dir, &path("a/b")), Some(dir.join("a").join("b")));
    }

    #[test]
    fn the_directories_on_the_way_come_from_the_top() {
        let (dir, target) = (Path::new("x/out"), Path::new("x/out/a/b/c"));
        assert_eq!(ancestors(dir, target), [Path::new("x/out/a"), Path::new("x/out/a/b")]);
        assert!(ancestors(dir, Path::new("x/out/c")).is_empty());
    }

    #[test]
    fn what_counts_is_what_is_on_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let file = Loaded::new("one".into(), None);
        let free = spot(folder.path(), &path("a/b"), "test").unwrap().unwrap();
        write(&free, &file, Existing::Keep, "test").unwrap().unwrap();
        let target = folder.path().join("a/b");
        verify(&target, &file, "test").unwrap();
        fs::write(&target, "two").unwrap();
        verify(&target, &file, "test").unwrap_err();
    }

    #[test]
    fn what_is_emptied_goes_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        fs::create_dir_all(dir.join("a/b/c")).unwrap();
        fs::write(dir.join("a/b/c/file"), "x").unwrap();
        fs::write(dir.join("a/other"), "x").unwrap();
        remove(dir, &path("a/b/c/file"), "test").unwrap();
        assert!(!dir.join("a/b").exists() && dir.join("a/other").exists());
        remove(dir, &path("a/other"), "test").unwrap();
        assert!(!dir.join("a").exists() && dir.exists());
        remove(dir, &path("gone"), "test").unwrap();
    }
}
