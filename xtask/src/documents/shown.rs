//! Files that a document shows are what is compiled: a block below a paragraph that is a link to a file and a colon.

use std::{fs, path::Path};

use super::markdown::Document;

/// A sentence for each block that is not the file that it should be.
pub(super) fn differing(root: &Path, documents: &[Document]) -> Vec<String> {
    let mut differing = Vec::new();
    for document in documents {
        let directory = root.join(&document.path);
        let directory = directory.parent().unwrap_or(root);
        for block in &document.blocks {
            let Some(file) = &block.shows else { continue };
            match fs::read_to_string(directory.join(file)) {
                Ok(text) if text == block.code => {}
                Ok(text) => {
                    let line =
                        text.lines().zip(block.code.lines()).take_while(|(one, other)| one == other).count();
                    let place = document.place_of_block(block);
                    differing
                        .push(format!("{place}: it is not {file}, from line {} of the file on", line + 1));
                }
                Err(error) => {
                    differing.push(format!("{}: {file}: {error}", document.place_of_block(block)));
                }
            }
        }
    }
    differing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_that_is_not_its_file_is_named() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("a.rs"), "one\ntwo\n").unwrap();
        let of = |file: &str, code: &str| {
            let text = format!("[`{file}`](../{file}):\n\n```rust\n{code}```\n");
            fs::create_dir_all(root.path().join("notes")).unwrap();
            differing(root.path(), &[Document::new(Path::new("notes/d.md"), text)])
        };
        assert_eq!(of("a.rs", "one\ntwo\n"), Vec::<String>::new());
        assert_eq!(
            of("a.rs", "one\nthree\n"),
            ["notes/d.md:3: it is not ../a.rs, from line 2 of the file on"]
        );
        assert_eq!(of("a.rs", "one\n").len(), 1);
        assert!(of("b.rs", "one\n")[0].starts_with("notes/d.md:3: ../b.rs: "));
    }
}
