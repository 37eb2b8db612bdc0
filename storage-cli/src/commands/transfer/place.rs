//! Puts one file into a local directory, and nowhere else.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use storage_core::{ErrorKind, File, Sha1Digest};

use crate::failure::Failure;
use crate::local::{self, Existing, Found, create_directory};

/// Writes a file of the tree below a directory, and reads it back.
///
/// The inner result is about this file only: something stands in its way. The outer one is about the disk.
pub(super) fn place(
    dir: &Path,
    components: &[String],
    file: &File,
    existing: Existing,
) -> Result<Result<(), Failure>, Failure> {
    let about = format!("export {:?}", file.metadata.path.as_str());
    let conflict = |target: &Path, what: &str| {
        let target = target.display();
        Ok(Err(Failure::of_kind(ErrorKind::AlreadyExists, format!("{about}: {target} {what}"))))
    };
    let failed = |target: &Path, error: &io::Error| {
        Failure::local(format!("{about}: cannot write {}", target.display()), error)
    };

    let Some(target) = below(dir, components) else {
        return conflict(dir, "cannot hold a file of this name on this system");
    };
    for directory in ancestors(dir, &target) {
        match Found::at(directory).map_err(|error| failed(directory, &error))? {
            Found::Directory => {}
            Found::Nothing => create_directory(directory).map_err(|error| failed(directory, &error))?,
            found @ (Found::File | Found::Other) => {
                let what = format!("is {}, where a directory is needed; move it away", found.describe());
                return conflict(directory, &what);
            }
        }
    }
    match Found::at(&target).map_err(|error| failed(&target, &error))? {
        Found::Nothing => {}
        Found::File => {
            let there = fs::read(&target).map_err(|error| failed(&target, &error))?;
            if there == file.content {
                return Ok(Ok(()));
            }
            if existing == Existing::Keep {
                return conflict(&target, "has another content; --force replaces it");
            }
        }
        found @ (Found::Directory | Found::Other) => {
            return conflict(&target, &format!("is {}; move it away", found.describe()));
        }
    }
    match local::write(&target, &file.content, existing) {
        Ok(()) => verify(&target, file, &about).map(Ok),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            conflict(&target, "was made by somebody else just now; --force replaces it")
        }
        Err(error) => Err(failed(&target, &error)),
    }
}

/// Reads back what was written, against the checksum in the store.
fn verify(target: &Path, file: &File, about: &str) -> Result<(), Failure> {
    let name = target.display();
    let read = fs::read(target);
    let read = read.map_err(|error| Failure::local(format!("{about}: cannot read {name} back"), &error))?;
    if file.metadata.sha1 == Some(Sha1Digest::of(&read)) {
        return Ok(());
    }
    let error = io::Error::new(io::ErrorKind::InvalidData, "it does not hold what was written");
    Err(Failure::local(format!("{about}: {name}"), &error))
}

/// The local path of these components, if each is a plain name here. On Unix all are; elsewhere one may mean a drive.
fn below(dir: &Path, components: &[String]) -> Option<PathBuf> {
    let mut path = dir.to_owned();
    for component in components {
        let mut parts = Path::new(component).components();
        match (parts.next(), parts.next()) {
            (Some(std::path::Component::Normal(name)), None) if name == component.as_str() => path.push(name),
            _ => return None,
        }
    }
    Some(path)
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

    #[test]
    fn no_component_leads_out() {
        let dir = Path::new("out");
        let below = |component: &str| below(dir, &["a".to_owned(), component.to_owned()]);
        assert_eq!(below("b"), Some(dir.join("a").join("b")));
        for component in ["..", ".", "", "/etc", "a/b", "b/"] {
            assert_eq!(below(component), None, "{component}");
        }
    }

    #[test]
    fn the_directories_on_the_way_come_from_the_top() {
        let (dir, target) = (Path::new("x/out"), Path::new("x/out/a/b/c"));
        assert_eq!(ancestors(dir, target), [Path::new("x/out/a"), Path::new("x/out/a/b")]);
        assert!(ancestors(dir, Path::new("x/out/c")).is_empty());
    }

    #[tokio::test]
    async fn what_counts_is_what_is_on_the_disk() {
        let tree =
            storage_core::Storage::open(kv_memory::MemoryBackend::new(), storage_core::StorageOptions::new());
        let tree = tree.await.unwrap();
        tree.store("a", "one").await.unwrap();
        let file = tree.load_file("a").await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        place(folder.path(), &["a".to_owned()], &file, Existing::Keep).unwrap().unwrap();
        let target = folder.path().join("a");
        verify(&target, &file, "test").unwrap();
        fs::write(&target, "two").unwrap();
        verify(&target, &file, "test").unwrap_err();
    }
}
