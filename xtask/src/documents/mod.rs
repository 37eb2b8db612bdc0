//! What the documents say is there: links, files that they show, and a section for every error.

mod explained;
mod links;
mod markdown;
mod shown;

use std::{ffi::OsStr, fs, path::Path};

use anyhow::{Context as _, Result, bail};
use walkdir::WalkDir;

use self::markdown::Document;
use crate::{sources, workspace_root};

/// Checks every Markdown file of the workspace, and what comments in the sources say of them.
pub(crate) fn check() -> Result<()> {
    let root = workspace_root();
    let documents = documents(&root)?;
    let sources = sources::rust_files(&root)?;
    let mut problems = links::broken(&root, &documents);
    problems.extend(links::missing_mentions(&root, &sources));
    problems.extend(shown::differing(&root, &documents));
    problems.extend(explained::missing(&documents, &sources)?);
    if !problems.is_empty() {
        bail!("the documents are not true:\n  {}", problems.join("\n  "));
    }
    let links: usize = documents.iter().map(|document| document.links.len()).sum();
    println!(
        "{links} links in {} documents lead somewhere, and every error has its section",
        documents.len()
    );
    Ok(())
}

/// All documents, in the order of their names. One that is a link to another is that one.
fn documents(root: &Path) -> Result<Vec<Document>> {
    let mut documents = Vec::new();
    for entry in WalkDir::new(root).sort_by_file_name().into_iter().filter_entry(sources::is_ours) {
        let entry = entry?;
        if entry.file_type().is_file() && entry.path().extension() == Some(OsStr::new("md")) {
            let text =
                fs::read_to_string(entry.path()).with_context(|| entry.path().display().to_string())?;
            let path = entry.path().strip_prefix(root).unwrap_or(entry.path());
            documents.push(Document::new(path, text));
        }
    }
    if documents.is_empty() {
        bail!("there are no documents in {}", root.display());
    }
    Ok(documents)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documents_of_this_workspace_are_found() {
        let documents = documents(&workspace_root()).unwrap();
        for path in ["README.md", "docs/format.md", "storage-core/README.md"] {
            assert!(documents.iter().any(|document| document.path == Path::new(path)), "{path}");
        }
        assert!(documents.iter().all(|document| !document.path.starts_with("target")));
    }
}
