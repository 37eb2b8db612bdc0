//! `docs/troubleshooting.md` explains every kind of error and every exit code, and nothing that nobody says.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

use super::markdown::Document;

const EXPLANATIONS: &str = "docs/troubleshooting.md";

/// Where the messages of connections are explained, a row for each. What varies is `…`.
const MESSAGES: &str = "Messages";

/// What stands behind the kinds of errors.
const BEHIND: &str = "What the store said";

/// A sentence for each error without an explanation, and for each message that is in no source file.
pub(super) fn missing(documents: &[Document], sources: &[(String, String)]) -> Result<Vec<String>> {
    let explanations = documents
        .iter()
        .find(|document| document.path == Path::new(EXPLANATIONS))
        .with_context(|| format!("there is no {EXPLANATIONS}: adapt the rule to its new place"))?;
    let source = |path: &str| {
        let found = sources.iter().find(|(known, _)| known == path);
        let (_, text) =
            found.with_context(|| format!("there is no {path}: adapt the rule to its new place"))?;
        Ok::<_, anyhow::Error>(text.as_str())
    };
    let mut missing = Vec::new();
    for (name, says) in kinds(source("storage-core/src/error.rs")?, "ErrorKind")? {
        match explanations.section(&name) {
            None => missing.push(format!("{EXPLANATIONS} has no section {name:?}, for the kind of error")),
            Some(section) if !section.contains(&format!("`{says}`")) => {
                missing.push(format!(
                    "{EXPLANATIONS}: the section {name:?} does not show its message, `{says}`"
                ));
            }
            Some(_) => {}
        }
    }
    for code in exit_codes(source("storage-cli/src/exit.rs")?)? {
        let heading = format!("Exit code {code}");
        if explanations.section(&heading).is_none() {
            missing.push(format!("{EXPLANATIONS} has no section {heading:?}"));
        }
    }
    let behind = explanations.section(BEHIND).unwrap_or_default();
    for said in texts(source("storage-core/src/kv/error.rs")?, "describe", "BackendErrorKind")? {
        if !behind.contains(&format!("`{said}`")) {
            missing.push(format!("{EXPLANATIONS}: {BEHIND:?} does not explain `{said}`"));
        }
    }
    missing.extend(said_by_nobody(explanations.section(MESSAGES).unwrap_or_default(), sources)?);
    Ok(missing)
}

/// The name of each kind of error, and what it says.
fn kinds(source: &str, kinds: &str) -> Result<Vec<(String, String)>> {
    let (names, says) = (texts(source, "name", kinds)?, texts(source, "describe", kinds)?);
    Ok(names.into_iter().zip(says).collect())
}

/// The texts that a method of an enum answers: one for each of its variants.
fn texts(source: &str, method: &str, of: &str) -> Result<Vec<String>> {
    let variants = between(source, &format!("pub enum {of} {{\n"), "\n}")?;
    let is_variant = |line: &&str| line.ends_with(',') && !line.trim_start().starts_with("//");
    let variants = variants.lines().filter(is_variant).count();
    let body = between(source, &format!("fn {method}(self) -> &'static str {{\n"), "\n    }\n")?;
    let texts: Vec<_> =
        body.split("Self::").skip(1).filter_map(|arm| Some(arm.split('"').nth(1)?.to_owned())).collect();
    if texts.is_empty() || texts.len() != variants {
        bail!(
            "{of}::{method} has {} texts for {variants} variants: adapt the rule to how it is written",
            texts.len()
        );
    }
    Ok(texts)
}

/// The codes that the help of the command lists.
fn exit_codes(source: &str) -> Result<Vec<u8>> {
    let help = between(source, "\nExit codes:\n", "\";")?;
    let codes: Vec<u8> =
        help.lines().filter_map(|line| line.strip_prefix("  ")?.split_once("  ")?.0.parse().ok()).collect();
    if codes.is_empty() {
        bail!("the help lists no exit codes: adapt the rule to how they are written");
    }
    Ok(codes)
}

fn between<'t>(text: &'t str, begin: &str, end: &str) -> Result<&'t str> {
    let (_, rest) = text.split_once(begin).with_context(|| format!("{begin:?} is not found"))?;
    let (found, _) = rest.split_once(end).with_context(|| format!("no {end:?} after {begin:?}"))?;
    Ok(found)
}

/// The messages in the first column of the tables of a section that are, but for what varies, in no source file.
fn said_by_nobody(section: &str, sources: &[(String, String)]) -> Result<Vec<String>> {
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let messages: Vec<_> = rows.map(|(message, _)| message).collect();
    if messages.is_empty() {
        bail!("{EXPLANATIONS}: no messages are explained in {MESSAGES:?}");
    }
    let is_said = |part: &str| sources.iter().any(|(_, text)| text.contains(part));
    let said_by_nobody = messages.into_iter().filter(|message| {
        // Quotation marks are written with a backslash in most places.
        let parts = message.split(['…', '"']).map(str::trim).filter(|part| !part.is_empty());
        !parts.into_iter().all(is_said)
    });
    Ok(said_by_nobody.map(|message| format!("{EXPLANATIONS}: nobody says `{message}`")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{sources, workspace_root};

    const ERRORS: &str = "pub enum ErrorKind {\n    /// A, b,\n    One,\n    Two,\n}\n
    pub fn name(self) -> &'static str {\n        match self {\n            Self::One => \"one\",
            Self::Two => {\n                \"two\"\n            }\n        }\n    }\n
    fn describe(self) -> &'static str {\n        match self {\n            Self::One => \"is one\",
            Self::Two => \"is two\",\n        }\n    }\n";

    #[test]
    fn kinds_are_read_with_what_they_say() {
        let pair = |name: &str, says: &str| (name.to_owned(), says.to_owned());
        assert_eq!(kinds(ERRORS, "ErrorKind").unwrap(), [pair("one", "is one"), pair("two", "is two")]);
        assert!(kinds(&ERRORS.replace("Self::Two => \"is two\",", ""), "ErrorKind").is_err());
        assert!(kinds(ERRORS, "Other").is_err());
    }

    #[test]
    fn exit_codes_are_read_off_the_help() {
        let help = "\nExit codes:\n  0  done\n  12  more\n     words\n`lock` ends otherwise\";\n";
        assert_eq!(exit_codes(help).unwrap(), [0, 12]);
        assert!(exit_codes("\nExit codes:\nnone\";").is_err());
    }

    #[test]
    fn a_message_is_one_if_its_parts_are_in_a_source_file() {
        let sources = [("a.rs".to_owned(), r#"format!("it is {at} of {all:?}")"#.to_owned())];
        let of = |row: &str| said_by_nobody(row, &sources).unwrap();
        assert_eq!(of("| message | so |\n| `it is … of \"…\"` | so |\n"), Vec::<String>::new());
        assert_eq!(
            of("| `it was … of …` | so |\n"),
            [format!("{EXPLANATIONS}: nobody says `it was … of …`")]
        );
        assert!(said_by_nobody("nothing", &sources).is_err());
    }

    #[test]
    fn an_error_without_a_section_is_named() {
        let root = workspace_root();
        let sources = sources::rust_files(&root).unwrap();
        let text = std::fs::read_to_string(root.join(EXPLANATIONS)).unwrap();
        let with = |text: String| missing(&[Document::new(Path::new(EXPLANATIONS), text)], &sources).unwrap();
        for (left_out, named) in [
            ("### `not_found`", "not_found"),
            ("### Exit code 3", "Exit code 3"),
            ("`lock lost`", "lock lost"),
            ("`no answer in time`", "no answer in time"),
        ] {
            assert!(text.contains(left_out), "{left_out}");
            let found = with(text.replace(left_out, "### other"));
            assert!(found.iter().any(|problem| problem.contains(named)), "{left_out}: {found:?}");
        }
    }
}
