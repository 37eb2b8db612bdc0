//! What is said in the end.

use std::time::Duration;

use serde::Serialize;
use storage_core::{EntryKind, FilePath};

use super::Verb;
use super::copy::{Action, Done, Tally};
use super::order::{Mode, Order};
use super::source::Source;
use crate::failure::Failure;
use crate::location::Location;
use crate::output::{EntryJson, Format, Output, rfc3339};

/// What is to be said beside what was done.
pub(super) struct Summary<'a> {
    pub(super) order: &'a Order,
    pub(super) skipped: usize,
    pub(super) elapsed: Duration,
}

/// What became of a file, as JSON.
#[derive(Serialize)]
struct FileJson<'a> {
    #[serde(flatten)]
    file: EntryJson<'a>,
    action: &'static str,
}

/// The numbers, as JSON. `imported` and `exported` are the files that the target has now as the source has them.
#[derive(Default, Serialize)]
struct SummaryJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    imported: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exported: Option<usize>,
    copied: usize,
    replaced: usize,
    unchanged: usize,
    deleted: usize,
    bytes: u64,
    skipped: usize,
    verified: bool,
    dry_run: bool,
    seconds: f64,
}

/// Says what was done.
pub(super) fn report(
    summary: &Summary<'_>,
    source: &Source,
    tally: &mut Tally,
    output: &mut Output,
) -> Result<(), Failure> {
    tally.done.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    tally.deleted.sort_unstable();
    let numbers = summary.numbers(tally);
    match output.format() {
        Format::Json => {
            for done in &tally.done {
                object(summary.order, source, done, output)?;
            }
            for path in &tally.deleted {
                let path = shown(summary.order, source, path);
                let file = EntryJson::named(&path, EntryKind::File);
                output.object(&FileJson { file, action: word(Action::Deleted) })?;
            }
            output.object(&numbers)
        }
        Format::Text if summary.order.mode == Mode::Dry => {
            for done in tally.done.iter().filter(|done| done.action != Action::Unchanged) {
                let what = if done.action == Action::Replaced { "replace" } else { "copy" };
                output.line(format!("{what} {}", done.path))?;
            }
            for path in &tally.deleted {
                output.line(format!("delete {path}"))?;
            }
            output.summary(numbers.as_plan())
        }
        Format::Text => output.summary(match summary.order.verb {
            Verb::Import | Verb::Export => numbers.as_one(summary.order.verb),
            Verb::Cp | Verb::Sync | Verb::Diff => numbers.as_list(),
        }),
    }
}

fn object(order: &Order, source: &Source, done: &Done, output: &mut Output) -> Result<(), Failure> {
    let path = shown(order, source, &done.path);
    let file = EntryJson {
        size: Some(done.size),
        modified: done.modified.map(|modified| rfc3339(modified).to_string()),
        sha1: Some(done.sha1.to_string()),
        version: done.version.map(|version| version.revision().0),
        ..EntryJson::named(&path, EntryKind::File)
    };
    output.object(&FileJson { file, action: word(done.action) })
}

/// A path as it is in the tree of the store that the command is about; of two equal ends, the path below their roots.
fn shown(order: &Order, source: &Source, path: &FilePath) -> String {
    match (order.verb, &order.target) {
        (Verb::Import, Location::Here(root)) => {
            FilePath::parse(root).and_then(|root| root.join(path.as_str())).map(|path| path.to_string())
        }
        (Verb::Export, _) => Ok(source.name_of(path)),
        _ => Ok(path.to_string()),
    }
    .unwrap_or_else(|_| path.to_string())
}

fn word(action: Action) -> &'static str {
    match action {
        Action::Copied => "copied",
        Action::Replaced => "replaced",
        Action::Unchanged => "unchanged",
        Action::Deleted => "deleted",
    }
}

impl Summary<'_> {
    fn numbers(&self, tally: &Tally) -> SummaryJson {
        let count = |action| tally.done.iter().filter(|done| done.action == action).count();
        let is_whole = matches!(self.order.verb, Verb::Import | Verb::Export);
        let counted = tally.done.iter().filter(|done| is_whole || done.action != Action::Unchanged);
        let all = Some(tally.done.len());
        SummaryJson {
            imported: all.filter(|_| self.order.verb == Verb::Import),
            exported: all.filter(|_| self.order.verb == Verb::Export),
            copied: count(Action::Copied),
            replaced: count(Action::Replaced),
            unchanged: count(Action::Unchanged),
            deleted: tally.deleted.len(),
            bytes: counted.map(|done| done.size).sum(),
            skipped: self.skipped,
            verified: self.order.mode == Mode::Real,
            dry_run: self.order.mode == Mode::Dry,
            seconds: (self.elapsed.as_secs_f64() * 1000.0).round() / 1000.0,
        }
    }
}

impl SummaryJson {
    /// For commands with one end in the store.
    fn as_one(&self, verb: Verb) -> String {
        let (past, count) = match verb {
            Verb::Import => ("imported", self.imported.unwrap_or_default()),
            _ => ("exported", self.exported.unwrap_or_default()),
        };
        let files = if count == 1 { "file" } else { "files" };
        let mut parts = vec![format!("{past} {count} {files}, {} bytes, verified", self.bytes)];
        let others = [(self.unchanged, "unchanged"), (self.skipped, "skipped")];
        let others = others.iter().filter(|(count, _)| *count > 0);
        parts.extend(others.map(|(count, what)| format!("{count} {what}")));
        parts.join(", ")
    }

    fn as_list(&self) -> String {
        let mut parts = vec![format!("{} copied", files(self.copied))];
        parts.extend(counted(self.replaced, "replaced"));
        parts.extend(counted(self.unchanged, "unchanged"));
        parts.extend(counted(self.deleted, "deleted"));
        parts.push(format!("{} bytes, verified", grouped(self.bytes)));
        parts.extend(counted(self.skipped, "skipped"));
        parts.push(format!("in {:.1} s", self.seconds));
        parts.join(", ")
    }

    fn as_plan(&self) -> String {
        let (copied, replaced, deleted) = (files(self.copied), grouped(self.replaced as u64), self.deleted);
        let (bytes, unchanged) = (grouped(self.bytes), self.unchanged);
        format!(
            "would copy {copied}, replace {replaced}, delete {deleted}, {bytes} bytes; {unchanged} unchanged"
        )
    }
}

/// A number that is worth saying.
fn counted(count: usize, what: &str) -> Option<String> {
    (count > 0).then(|| format!("{} {what}", grouped(count as u64)))
}

fn files(count: usize) -> String {
    let files = if count == 1 { "file" } else { "files" };
    format!("{} {files}", grouped(count as u64))
}

/// A number with commas between its thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn a_summary_says_what_there_was() {
        let numbers = SummaryJson {
            copied: 12,
            replaced: 3,
            unchanged: 85,
            deleted: 2,
            bytes: 1_234_567,
            seconds: 2.1,
            ..SummaryJson::default()
        };
        let all = "12 files copied, 3 replaced, 85 unchanged, 2 deleted, 1,234,567 bytes, verified, in 2.1 s";
        assert_eq!(numbers.as_list(), all);
        let least = SummaryJson { copied: 1, skipped: 1, ..SummaryJson::default() };
        assert_eq!(least.as_list(), "1 file copied, 0 bytes, verified, 1 skipped, in 0.0 s");
    }
}
