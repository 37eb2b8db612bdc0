//! Links to what is not there.

use std::path::{Component, Path, PathBuf};

use super::markdown::Document;

/// A sentence for each link into the workspace that leads nowhere. Nobody outside is asked.
pub(super) fn broken(root: &Path, documents: &[Document]) -> Vec<String> {
    let mut broken = Vec::new();
    for document in documents {
        for link in &document.links {
            if let Some(why) = problem(root, documents, document, &link.target) {
                broken.push(format!("{}: {}: {why}", document.place(link), link.target));
            }
        }
    }
    broken
}

fn problem(root: &Path, documents: &[Document], from: &Document, target: &str) -> Option<String> {
    // Crates' READMEs are their documentation too: links to items are for the step that builds it.
    if target.contains("://") || target.starts_with("mailto:") || target.contains("::") {
        return None;
    }
    let (file, anchor) = target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
    let directory = from.path.parent().unwrap_or(Path::new(""));
    let Some(path) = (if file.is_empty() { Some(from.path.clone()) } else { normal(&directory.join(file)) })
    else {
        return Some("it leaves the workspace".to_owned());
    };
    if path != from.path && !root.join(&path).exists() {
        return Some("there is no such file".to_owned());
    }
    let anchor = anchor?;
    let Some(document) = documents.iter().find(|document| document.path == path) else {
        return Some(format!("{} has no headings", path.display()));
    };
    let is_there = document.headings.iter().any(|heading| heading.anchor == anchor);
    (!is_there).then(|| format!("{} has no heading for that", path.display()))
}

/// The path without `..`; `None` if it leads out.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => normal.push(name),
            Component::ParentDir => normal.pop().then_some(())?,
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(normal)
}

/// A sentence for each document that a source file speaks of, as of `docs/format.md`, and that is not there.
pub(super) fn missing_mentions(root: &Path, sources: &[(String, String)]) -> Vec<String> {
    let mut missing = Vec::new();
    for (path, text) in sources {
        for (index, line) in text.lines().enumerate() {
            for mentioned in mentions(line) {
                if !root.join(mentioned).exists() {
                    missing.push(format!("{path}:{}: there is no {mentioned}", index + 1));
                }
            }
        }
    }
    missing
}

/// The documents that a line names by their paths from the root.
fn mentions(line: &str) -> impl Iterator<Item = &str> {
    const DOCS: &str = "docs/";
    let in_path = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.');
    line.match_indices(DOCS).filter_map(move |(at, _)| {
        if line[..at].ends_with(in_path) {
            return None;
        }
        let rest = &line[at..];
        let path = &rest[..rest.find(|c| !in_path(c)).unwrap_or(rest.len())];
        path.find(".md").map(|end| &path[..end + ".md".len()])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace_root;

    fn problems(path: &str, text: &str) -> Vec<String> {
        let root = workspace_root();
        let readme = Document::new(Path::new("README.md"), "# A b\n".to_owned());
        let documents = [Document::new(Path::new(path), text.to_owned()), readme];
        broken(&root, &documents[..]).into_iter().map(|problem| problem.replace('\n', " ")).collect()
    }

    #[test]
    fn what_is_there_may_be_linked() {
        let fine = "[a](../README.md) [b](../README.md#a-b) [c](../xtask) [d](https://example.com/x) [e](#here)\n\n# Here\n\n[f](a::B::c)";
        assert_eq!(problems("xtask/x.md", fine), Vec::<String>::new());
    }

    #[test]
    fn what_is_not_there_is_named_with_its_place() {
        let name = "none";
        for (target, why) in [
            (format!("{name}.md"), "xtask/x.md:3: none.md: there is no such file"),
            ("../README.md#b".to_owned(), "README.md has no heading for that"),
            ("../xtask#a".to_owned(), "xtask has no headings"),
            ("../../x".to_owned(), "it leaves the workspace"),
            ("/etc/passwd".to_owned(), "it leaves the workspace"),
            ("#none".to_owned(), "xtask/x.md has no heading for that"),
        ] {
            let found = problems("xtask/x.md", &format!("one\n\n[two]({target})\n"));
            assert!(found.len() == 1 && found[0].contains(why), "{target}: {found:?}");
        }
    }

    #[test]
    fn documents_that_comments_speak_of_are_found() {
        let line = "/// See `DOCS/a-b.md`, DOCS/c/d.md. Not ../DOCS/e.md, DOCS/ or DOCS/f.rs."
            .replace("DOCS", "docs");
        assert_eq!(
            mentions(&line).collect::<Vec<_>>(),
            [format!("{}/a-b.md", "docs"), format!("{}/c/d.md", "docs")]
        );
        let mentioned = |name: &str| {
            let source = ("x.rs".to_owned(), format!("//! docs/{name}.md"));
            missing_mentions(&workspace_root(), &[source])
        };
        assert_eq!(mentioned("format"), Vec::<String>::new());
        let name = "none";
        assert_eq!(mentioned(name), [format!("x.rs:1: there is no docs/{name}.md")]);
    }
}
