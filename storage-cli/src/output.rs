//! What is written to standard output and standard error, as text or as JSON: one object on a line.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::time::{Duration, SystemTime};

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use storage_core::{EntryKind, Metadata};

use crate::exit::Exit;
use crate::failure::{Failure, one_line};
use crate::table::{self, Columns};
use crate::telling::Verbosity;

/// How the output is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people and for other commands.
    Text,
    /// One JSON object on a line.
    Json,
}

impl Format {
    /// The format that these arguments ask for, though they may be wrong otherwise.
    pub(crate) fn asked_for(arguments: impl IntoIterator<Item = OsString>) -> Self {
        let options = arguments.into_iter().take_while(|argument| argument != "--");
        if options.into_iter().any(|argument| argument == "--json") { Self::Json } else { Self::Text }
    }
}

/// Standard output.
pub(crate) struct Output {
    format: Format,
    verbosity: Verbosity,
    columns: Columns,
    has_colors: bool,
    writer: Box<dyn Write>,
}

/// Headings of tables.
pub(crate) const HEADING: Style = Style::new().bold();
/// Names of directories.
pub(crate) const DIRECTORY: Style = AnsiColor::Blue.on_default().bold();
/// What is wrong.
pub(crate) const WRONG: Style = AnsiColor::Red.on_default().bold();
/// What is worth knowing.
pub(crate) const NOTABLE: Style = AnsiColor::Yellow.on_default();

impl Output {
    pub(crate) fn to_stdout(format: Format, verbosity: Verbosity) -> Self {
        let stdout = io::stdout();
        let columns = if stdout.is_terminal() { Columns::Aligned } else { Columns::Tabs };
        let has_colors = AutoStream::choice(&stdout) != anstream::ColorChoice::Never;
        let writer = BufWriter::with_capacity(64 * 1024, stdout);
        Self { verbosity, columns, has_colors, ..Self::new(format, writer) }
    }

    pub(crate) fn new(format: Format, writer: impl Write + 'static) -> Self {
        let (verbosity, columns, has_colors) = (Verbosity::Normal, Columns::Tabs, false);
        Self { format, verbosity, columns, has_colors, writer: Box::new(writer) }
    }

    /// How tables are to be written.
    pub(crate) fn columns(&self) -> Columns {
        self.columns
    }

    /// Whether progress is shown to people, if standard error is a terminal.
    pub(crate) fn shows_progress(&self) -> bool {
        self.format == Format::Text && self.verbosity != Verbosity::Quiet
    }

    /// The text in this style, where there are colours.
    pub(crate) fn paint(&self, style: Style, text: &str) -> String {
        if self.has_colors && self.format == Format::Text {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }

    /// Writes a table: see [`table::lines`].
    pub(crate) fn table<const N: usize>(
        &mut self,
        heading: [&str; N],
        rows: impl IntoIterator<Item = [String; N]>,
    ) -> Result<(), Failure> {
        let mut lines = table::lines(self.columns, heading, rows).into_iter();
        if let Some(heading) = lines.next() {
            self.line(self.paint(HEADING, &heading))?;
        }
        lines.try_for_each(|line| self.line(line))
    }

    /// Writes what it came to in the end, unless nothing but the rest was asked for.
    pub(crate) fn summary(&mut self, line: impl AsRef<str>) -> Result<(), Failure> {
        if self.verbosity == Verbosity::Quiet { Ok(()) } else { self.line(line) }
    }

    /// Tells who has asked for it more of what is done.
    pub(crate) fn inform(&self, kind: &'static str, what: impl Into<String>) {
        if self.verbosity == Verbosity::Verbose {
            tell(self.format, &Failure::new(Exit::Ok, kind, what), Weight::Info);
        }
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Writes these bytes and nothing else.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.writer.write_all(bytes).map_err(|error| not_written(&error))
    }

    pub(crate) fn line(&mut self, line: impl AsRef<str>) -> Result<(), Failure> {
        self.bytes(line.as_ref().as_bytes())?;
        self.bytes(b"\n")
    }

    pub(crate) fn object(&mut self, object: &impl Serialize) -> Result<(), Failure> {
        self.line(json(object))
    }

    /// Writes what is still held back.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        self.writer.flush().map_err(|error| not_written(&error))
    }

    /// Tells of something that does not end the command.
    pub(crate) fn warn(&self, failure: &Failure) {
        tell(self.format, failure, Weight::Warning);
    }

    /// Tells of something that is no failure yet.
    pub(crate) fn caution(&self, kind: &'static str, what: String) {
        if self.verbosity == Verbosity::Quiet {
            return;
        }
        // People see both kinds of lines mixed; in JSON they have different names.
        let what = if self.format == Format::Text { format!("warning: {what}") } else { what };
        self.warn(&Failure::new(Exit::Ok, kind, what));
    }
}

fn not_written(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::ReaderGone,
        _ => Failure::local("cannot write to standard output", error),
    }
}

/// Tells on standard error why the command ends.
pub(crate) fn report(format: Format, failure: &Failure) {
    tell(format, failure, Weight::Error);
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Weight {
    Info,
    Warning,
    Error,
}

fn tell(format: Format, failure: &Failure, weight: Weight) {
    let Failure::Told { kind, message, .. } = failure else { return };
    let line = match format {
        Format::Text => {
            let style = match weight {
                Weight::Info => Style::new(),
                Weight::Warning => NOTABLE,
                Weight::Error => WRONG,
            };
            format!("{style}kvfs:{style:#} {}", one_line(message))
        }
        Format::Json => {
            let told = ErrorJson { kind, message: &one_line(message) };
            match weight {
                Weight::Info => json(&Told::Info(told)),
                Weight::Warning => json(&Told::Warning(told)),
                Weight::Error => json(&Told::Error(told)),
            }
        }
    };
    // There is nobody left to tell when standard error is gone too.
    let _ = writeln!(anstream::stderr(), "{line}");
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Told<'a> {
    Info(ErrorJson<'a>),
    Warning(ErrorJson<'a>),
    Error(ErrorJson<'a>),
}

/// An error as JSON.
#[derive(Serialize)]
pub(crate) struct ErrorJson<'a> {
    kind: &'static str,
    message: &'a str,
}

impl<'a> ErrorJson<'a> {
    pub(crate) fn of(failure: &'a Failure) -> Option<Self> {
        match failure {
            Failure::Told { kind, message, .. } => Some(Self { kind, message }),
            Failure::ReaderGone => None,
        }
    }
}

/// A file or directory as JSON. The names of its fields do not change.
#[derive(Serialize)]
pub(crate) struct EntryJson<'a> {
    pub(crate) path: &'a str,
    pub(crate) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) modified: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sha1: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<ErrorJson<'a>>,
}

impl<'a> EntryJson<'a> {
    /// An entry of which nothing else is known.
    pub(crate) fn named(path: &'a str, kind: EntryKind) -> Self {
        let kind = kind_word(kind);
        Self { path, kind, size: None, modified: None, sha1: None, version: None, error: None }
    }
}

impl<'a> From<&'a Metadata> for EntryJson<'a> {
    fn from(metadata: &'a Metadata) -> Self {
        Self {
            size: Some(metadata.size),
            modified: Some(rfc3339(metadata.modified).to_string()),
            sha1: metadata.sha1.map(|sha1| sha1.to_string()),
            version: Some(metadata.version.revision().0),
            ..Self::named(metadata.path.as_str(), metadata.kind)
        }
    }
}

pub(crate) fn kind_word(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::File => "file",
        EntryKind::Directory => "directory",
    }
}

/// The time in a form that prints as RFC 3339 in UTC.
pub(crate) fn rfc3339(time: SystemTime) -> Timestamp {
    // Records hold times of four-digit years; a clock beyond them is as wrong as it can be.
    Timestamp::try_from(time).unwrap_or(Timestamp::MAX)
}

/// A duration as people write it, in whole seconds.
pub(crate) fn friendly(duration: Duration) -> String {
    let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    format!("{:#}", SignedDuration::from_secs(seconds))
}

fn json(value: &impl Serialize) -> String {
    let json = serde_json::to_string(value);
    let json = json.expect("structs of text and numbers with named fields have a JSON form");
    if !json.contains(char::is_control) {
        return json;
    }
    // JSON may hold 0x7f to 0x9f as they are, and some terminals obey them: 0x9b begins a command as ESC [ does.
    json.chars().fold(String::with_capacity(json.len()), |mut line, c| {
        if c.is_control() {
            // Writing to a string cannot fail.
            let _ = write!(line, "\\u{:04x}", u32::from(c));
        } else {
            line.push(c);
        }
        line
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_known_though_other_arguments_are_wrong() {
        let asked_for = |line: &str| Format::asked_for(line.split(' ').map(OsString::from));
        assert_eq!(asked_for("kvfs --wrong --json"), Format::Json);
        assert_eq!(asked_for("kvfs get -- --json"), Format::Text);
    }

    #[test]
    fn json_holds_nothing_that_a_terminal_obeys() {
        let text = "a\n\u{1b}[31m\u{7f}\u{9b}31mä";
        let written = json(&ErrorJson { kind: "x", message: text });
        assert!(!written.contains(char::is_control), "{written:?}");
        let read: serde_json::Value = serde_json::from_str(&written).unwrap();
        assert_eq!(read["message"], text);
    }

    #[test]
    fn times_are_rfc_3339_in_utc() {
        let time = SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000, 5);
        assert_eq!(rfc3339(time).to_string(), "2023-11-14T22:13:20.000000005Z");
    }
}
