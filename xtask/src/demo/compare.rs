//! Comparing two folders byte for byte, without the program that copied them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use walkdir::WalkDir;

/// How much two folders have in common, when they have everything in common.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Same {
    pub(super) files: usize,
    pub(super) bytes: usize,
}

/// Compares the files of two folders; the first difference is an error.
pub(super) fn trees(one: &Path, other: &Path) -> Result<Same> {
    let (files, others) = (files(one)?, files(other)?);
    let only_in_one: Vec<_> = files.symmetric_difference(&others).collect();
    ensure!(only_in_one.is_empty(), "only in one of the folders: {only_in_one:?}");
    let mut same = Same { files: files.len(), bytes: 0 };
    for file in &files {
        let content = fs::read(one.join(file)).with_context(|| format!("cannot read {}", file.display()))?;
        let copy = fs::read(other.join(file)).with_context(|| format!("cannot read {}", file.display()))?;
        ensure!(content == copy, "{} differs", file.display());
        same.bytes += content.len();
    }
    Ok(same)
}

fn files(root: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut files = BTreeSet::new();
    for entry in WalkDir::new(root) {
        let entry = entry?;
        if !entry.file_type().is_dir() {
            files.insert(entry.path().strip_prefix(root)?.to_owned());
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_difference_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
        for root in [&one, &other] {
            fs::create_dir_all(root.join("d")).unwrap();
            fs::write(root.join("d/file"), "content").unwrap();
        }
        assert_eq!(trees(&one, &other).unwrap(), Same { files: 1, bytes: 7 });
        fs::write(other.join("d/file"), "contenT").unwrap();
        assert!(trees(&one, &other).unwrap_err().to_string().contains("differs"));
        fs::write(other.join("d/file"), "content").unwrap();
        fs::write(other.join("more"), "").unwrap();
        assert!(trees(&one, &other).unwrap_err().to_string().contains("more"));
    }
}
