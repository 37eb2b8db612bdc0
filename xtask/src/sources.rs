//! Rules that are read off the source text.

use std::{ffi::OsStr, fs, path::Path};

use anyhow::{Context as _, Result, bail};
use walkdir::{DirEntry, WalkDir};

use crate::{metadata::Package, workspace_root};

/// A file with more lines than this, its tests not counted, has more than one subject.
const LONG: usize = 400;

/// Where code of `storage-core/src/kv` names another module of its crate: the vocabulary of backends stands alone.
pub(crate) fn foreign_imports_of_kv() -> Result<Vec<String>> {
    let mut found = Vec::new();
    let files = rust_files(&workspace_root().join("storage-core/src/kv"))?;
    if files.is_empty() {
        bail!("storage-core/src/kv has no source files: adapt the rule to its new place");
    }
    for (path, text) in files {
        for (index, line) in text.lines().enumerate() {
            if leaves_kv(line) {
                found.push(format!(
                    "{path}:{}: kv/ must import nothing else of storage-core: {}",
                    index + 1,
                    line.trim()
                ));
            }
        }
    }
    Ok(found)
}

/// Where code of `storage-core` makes a key, but for its layout and the vocabulary of backends: paths are mapped to keys in
/// one place.
pub(crate) fn keys_made_elsewhere() -> Result<Vec<String>> {
    const MAY: [&str; 3] = ["layout/", "kv/", "fuzz/"];
    let core = "storage-core/src/";
    let mut found = Vec::new();
    for (path, text) in rust_files(&workspace_root().join(core))? {
        let below = path.strip_prefix(core).unwrap_or(&path);
        if MAY.iter().any(|may| below.starts_with(may)) || below.ends_with("tests.rs") {
            continue;
        }
        let lines = text.lines().take(lines_without_tests(&text)).enumerate();
        for (index, line) in lines.filter(|(_, line)| makes_key(line)) {
            found.push(format!("{path}:{}: keys are made in layout/ only: {}", index + 1, line.trim()));
        }
    }
    Ok(found)
}

/// A sentence for each long file of the members.
pub(crate) fn long_files<'a>(members: impl Iterator<Item = &'a Package>) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for member in members {
        let manifest = &member.manifest_path;
        let directory = manifest.parent().with_context(|| format!("no directory: {}", manifest.display()))?;
        for (path, text) in rust_files(&directory.join("src"))? {
            let lines = lines_without_tests(&text);
            if lines > LONG && !path.ends_with("tests.rs") {
                found.push(format!("{path} has {lines} lines without its tests (aim: at most {LONG})"));
            }
        }
    }
    Ok(found)
}

/// The path below the workspace and the text of every Rust file in `directory`, in the order of their names. What is
/// built or hidden is passed over.
pub(crate) fn rust_files(directory: &Path) -> Result<Vec<(String, String)>> {
    let root = workspace_root();
    let mut files = Vec::new();
    for entry in WalkDir::new(directory).sort_by_file_name().into_iter().filter_entry(is_ours) {
        let entry = entry?;
        if entry.path().extension() == Some(OsStr::new("rs")) {
            let text =
                fs::read_to_string(entry.path()).with_context(|| entry.path().display().to_string())?;
            let path = entry.path().strip_prefix(&root).unwrap_or(entry.path());
            files.push((path.display().to_string(), text));
        }
    }
    Ok(files)
}

/// Neither what is built nor what is hidden.
pub(crate) fn is_ours(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    entry.depth() == 0 || !(name.starts_with('.') || (name == "target" && entry.file_type().is_dir()))
}

/// Whether a line of code (comments may link anywhere) has a path into the crate that does not go through `kv`.
fn leaves_kv(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    let in_name = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices("crate::").any(|(at, matched)| {
        let rest = &code[at + matched.len()..];
        let module = rest.split(|c| !in_name(c)).next();
        !code[..at].ends_with(in_name) && module != Some("kv")
    })
}

/// Whether a line of code makes a key of bytes.
fn makes_key(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    ["Key::new(", "KeyRange::prefix("].iter().any(|call| code.contains(call))
}

/// The lines above the test module that stands at the foot of a file.
fn lines_without_tests(text: &str) -> usize {
    text.lines().take_while(|line| *line != "#[cfg(test)]").count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_of_other_modules_leave_kv() {
        for line in [
            "use crate::path::FilePath;",
            "use crate::{kv::Key, path::FilePath};",
            "use crate::kvx::Key;",
            "fn f(key: &crate::kv::Key, path: &crate::FilePath) {",
            "pub use crate::*;",
        ] {
            assert!(leaves_kv(line), "{line}");
        }
    }

    #[test]
    fn kv_itself_and_comments_do_not_leave_kv() {
        for line in [
            "use crate::kv::Key;",
            "use crate::kv::{Key, Txn};",
            "/// Files lie above it: [`Storage`](crate::Storage).",
            "let x = 1; // see crate::path",
            "pub(crate) fn f() {",
            "use super::Key;",
            "use other_crate::path;",
        ] {
            assert!(!leaves_kv(line), "{line}");
        }
    }

    #[test]
    fn keys_are_made_of_bytes_and_not_of_keys() {
        assert!(makes_key("let key = Key::new(format!(\"{prefix}/data/{path}\"));"));
        assert!(makes_key("KeyRange::prefix(\"/\")"));
        assert!(!makes_key("KeyRange::single(self.layout().format())") && !makes_key("// Key::new(x)"));
    }

    #[test]
    fn tests_at_the_foot_are_not_counted() {
        assert_eq!(lines_without_tests("a\nb\n#[cfg(test)]\nmod tests {\n}\n"), 2);
        assert_eq!(lines_without_tests("a\n    #[cfg(test)]\n    b\n"), 3);
    }
}
