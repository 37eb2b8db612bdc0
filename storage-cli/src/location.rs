//! Where a tree is that is moved: one form of writing it down for all commands.

use std::ffi::OsStr;
use std::path::PathBuf;

use crate::failure::Failure;

/// A tree or a file, in a store or out of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    /// A path in the store of this run.
    Here(String),
    /// A path in the store that a URL names.
    Store { url: String, path: String },
    /// A tar.
    Tar(TarFile),
    /// A file or directory of this machine.
    Local(PathBuf),
}

/// Where a tar is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TarFile {
    /// Standard input or standard output.
    Standard,
    File(PathBuf),
}

const STANDARD: &str = "-";

/// The schemes of stores whose URLs need not have `//` behind the colon.
const SCHEMES: [&str; 4] = ["etcd", "etcds", "memory", "sqlite"];

impl Location {
    /// Reads a location.
    pub(crate) fn parse(command: &str, given: &OsStr) -> Result<Self, Failure> {
        let wrong = |why: &str| Failure::usage(format!("{command} {:?}: {why}", given.to_string_lossy()));
        if given.is_empty() {
            return Err(wrong("an empty text is no location; . is this directory, store: the whole tree"));
        }
        let is_tar = given.to_string_lossy().ends_with(".tar");
        let Some(text) = given.to_str() else {
            let path = PathBuf::from(given);
            return Ok(if is_tar { Self::Tar(TarFile::File(path)) } else { Self::Local(path) });
        };
        if text == STANDARD {
            return Ok(Self::Tar(TarFile::Standard));
        }
        match text.split_once(':') {
            Some(("store", path)) if path.starts_with("//") => {
                Err(wrong("nothing but a path follows store:, as in store:sites/example.com"))
            }
            Some(("store", path)) => Ok(Self::Here(path.to_owned())),
            Some(("tar", "")) => Err(wrong("a file follows tar:, as in tar:backup.tar")),
            Some(("tar", STANDARD)) => Ok(Self::Tar(TarFile::Standard)),
            Some(("tar", file)) => Ok(Self::Tar(TarFile::File(file.into()))),
            Some((scheme, rest)) if SCHEMES.contains(&scheme) || rest.starts_with("//") => {
                let (url, path) = text.split_once('#').unwrap_or((text, ""));
                Ok(Self::Store { url: url.to_owned(), path: path.to_owned() })
            }
            _ if is_tar => Ok(Self::Tar(TarFile::File(text.into()))),
            _ => Ok(Self::Local(text.into())),
        }
    }

    /// As it can be given again, and is shown.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Here(path) => format!("store:{path}"),
            Self::Store { url, path } if path.is_empty() => url.clone(),
            Self::Store { url, path } => format!("{url}#{path}"),
            Self::Tar(TarFile::Standard) => STANDARD.to_owned(),
            Self::Tar(TarFile::File(path)) | Self::Local(path) => path.display().to_string(),
        }
    }

    /// Whether it is written as a directory into which something is put.
    pub(crate) fn is_written_as_directory(&self) -> bool {
        match self {
            Self::Here(path) | Self::Store { path, .. } => path.is_empty() || path.ends_with('/'),
            Self::Tar(_) => true,
            Self::Local(path) => path.as_os_str().as_encoded_bytes().ends_with(b"/"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Location {
        Location::parse("cp", OsStr::new(text)).unwrap()
    }

    fn store(url: &str, path: &str) -> Location {
        Location::Store { url: url.to_owned(), path: path.to_owned() }
    }

    #[test]
    fn a_location_is_a_path_in_a_store_a_tar_or_a_local_path() {
        let tar = |file: &str| Location::Tar(TarFile::File(file.into()));
        let local = |path: &str| Location::Local(path.into());
        let here = |path: &str| Location::Here(path.to_owned());
        for (text, location) in [
            ("store:", here("")),
            ("store:sites/a:b#c", here("sites/a:b#c")),
            ("store:/sites/", here("/sites/")),
            ("store:x.tar", here("x.tar")),
            ("etcd://a:1,b/p", store("etcd://a:1,b/p", "")),
            ("etcd://a#sites/x#1", store("etcd://a", "sites/x#1")),
            ("etcd://a/p?layout=x#y.tar", store("etcd://a/p?layout=x", "y.tar")),
            ("memory:", store("memory:", "")),
            ("memory:#a", store("memory:", "a")),
            ("sqlite:/a/b.db#c", store("sqlite:/a/b.db", "c")),
            ("http://a/x.tar", store("http://a/x.tar", "")),
            ("-", Location::Tar(TarFile::Standard)),
            ("tar:-", Location::Tar(TarFile::Standard)),
            ("tar:x", tar("x")),
            ("tar:tar:x", tar("tar:x")),
            ("a/x.tar", tar("a/x.tar")),
            ("x.tar/", local("x.tar/")),
            ("x.tar.gz", local("x.tar.gz")),
            (".", local(".")),
            ("./store:x", local("./store:x")),
            ("./-", local("./-")),
            ("c:x", local("c:x")),
            ("store", local("store")),
        ] {
            assert_eq!(parsed(text), location, "{text}");
        }
    }

    #[test]
    fn a_location_is_shown_as_it_can_be_given() {
        for text in ["store:", "store:a", "etcd://a/p", "etcd://a/p#x", "-", "x.tar", "dir", "a/b"] {
            assert_eq!(parsed(text).name(), text);
        }
    }

    #[test]
    fn what_is_no_location_is_refused_with_an_example() {
        for (text, said) in [
            ("", "an empty text is no location"),
            ("tar:", "a file follows tar:"),
            ("store://etcd:1", "nothing but a path follows store:"),
        ] {
            let failure = Location::parse("cp", OsStr::new(text)).unwrap_err();
            assert!(format!("{failure:?}").contains(said), "{failure:?}");
        }
    }
}
