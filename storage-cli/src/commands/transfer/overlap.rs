//! Whether two ends are the same, or one lies in the other.

use std::path::{Path, PathBuf};

use storage_core::FilePath;

use super::side::Side;
use super::{Extras, Shape};
use crate::location::TarFile;

const SAME: &str = "source and target are the same";
const IN_SOURCE: &str = "the target lies in the source";
const IN_TARGET: &str = "the source lies in the target";

/// What stands in the way of copying from one end to the other, if anything does.
pub(super) fn of(
    from: &Side,
    to: &Side,
    shape: Shape,
    name: Option<&FilePath>,
    extras: Extras,
) -> Option<&'static str> {
    match (from, to) {
        (Side::Tree(one), Side::Tree(other)) if one.store == other.store => match shape {
            Shape::Tree if one.root == other.root => Some(SAME),
            Shape::Tree if one.root.is_above(&other.root) => Some(IN_SOURCE),
            Shape::Tree if other.root.is_above(&one.root) => Some(IN_TARGET),
            Shape::Tree => None,
            Shape::File => {
                let name = name.map_or(one.root.name(), |name| name.as_str());
                (other.root.join(name).ok().as_ref() == Some(&one.root)).then_some(SAME)
            }
        },
        (Side::Local(one), Side::Local(other)) => {
            let (one, other) = (real(one), real(other));
            match shape {
                Shape::Tree if one == other => Some(SAME),
                Shape::Tree if other.starts_with(&one) => Some(IN_SOURCE),
                Shape::Tree if one.starts_with(&other) => Some(IN_TARGET),
                Shape::Tree => None,
                Shape::File => {
                    let name = name.map(|name| Path::new(name.as_str()));
                    let target = name.or(one.file_name().map(Path::new)).map(|name| real(&other.join(name)));
                    (target.as_ref() == Some(&one)).then_some(SAME)
                }
            }
        }
        (Side::Tar(TarFile::File(one)), Side::Tar(TarFile::File(other))) => {
            (real(one) == real(other)).then_some(SAME)
        }
        (Side::Local(dir), Side::Tar(TarFile::File(tar))) => {
            (shape == Shape::Tree && real(tar).starts_with(real(dir))).then_some(IN_SOURCE)
        }
        // Unpacking where the tar lies is usual; deleting what is not in it would delete the tar.
        (Side::Tar(TarFile::File(tar)), Side::Local(dir)) => {
            (extras == Extras::Delete && real(tar).starts_with(real(dir))).then_some(IN_TARGET)
        }
        _ => None,
    }
}

/// The path without symbolic links, as far as it exists.
fn real(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let existing = absolute.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
    match existing {
        Some((above, real)) => match absolute.strip_prefix(above) {
            Ok(rest) if rest != Path::new("") => real.join(rest),
            _ => real,
        },
        None => absolute,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn what_lies_in_each_other_is_known_through_links_and_before_it_exists() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        std::fs::create_dir(dir.join("a")).unwrap();
        std::fs::write(dir.join("a/f"), "x").unwrap();
        std::os::unix::fs::symlink(dir.join("a"), dir.join("link")).unwrap();
        let local = |path: &str| Side::Local(dir.join(path));
        let tar = |path: &str| Side::Tar(TarFile::File(dir.join(path)));
        let name = FilePath::parse("f").unwrap();
        for (from, to, shape, name, extras, expected) in [
            (local("a"), local("link"), Shape::Tree, None, Extras::Keep, Some(SAME)),
            (local("a"), local("a/new/deep"), Shape::Tree, None, Extras::Keep, Some(IN_SOURCE)),
            (local("link/x"), local("a"), Shape::Tree, None, Extras::Keep, Some(IN_TARGET)),
            (local("a"), local("ab"), Shape::Tree, None, Extras::Keep, None),
            (local("a/f"), local("link"), Shape::File, None, Extras::Keep, Some(SAME)),
            (local("a/f"), local("link"), Shape::File, Some(&name), Extras::Keep, Some(SAME)),
            (local("a/f"), local("."), Shape::File, Some(&name), Extras::Keep, None),
            (local("a"), tar("link/x.tar"), Shape::Tree, None, Extras::Keep, Some(IN_SOURCE)),
            (tar("a/x.tar"), local("a"), Shape::Tree, None, Extras::Keep, None),
            (tar("a/x.tar"), local("a"), Shape::Tree, None, Extras::Delete, Some(IN_TARGET)),
            (tar("a/x.tar"), tar("link/x.tar"), Shape::Tree, None, Extras::Keep, Some(SAME)),
        ] {
            assert_eq!(of(&from, &to, shape, name, extras), expected);
        }
    }
}
