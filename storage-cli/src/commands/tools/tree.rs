//! `kvfs tree [PATH] [-L DEPTH]`
//!
//! Whether a directory is the last one of its own shows only behind all that lies in it. So the paths are first written to a
//! temporary file, and one bit is kept for each directory; the memory needed grows with nothing else.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};

use futures::Stream;
use serde::Serialize;
use storage_core::{EntryKind, Error, FilePath, Filter, ListItem, ListOptions};

use super::until_signal::{interrupted, next};
use crate::cli::Tree;
use crate::exit::Exit;
use crate::failure::{Failure, one_line};
use crate::output::{DIRECTORY, EntryJson, Format, Output};
use crate::session::{Session, any_path};
use crate::signals::Signals;

/// How many there are, as JSON. The names of its fields do not change.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Counts {
    directories: u64,
    files: u64,
}

pub(super) async fn run(args: Tree, session: &mut Session) -> Result<Exit, Failure> {
    let root = any_path("tree", &args.path)?;
    let tree = session.open().await?;
    let depth = args.depth.map_or(usize::MAX, usize::from);
    let mut signals = Signals::listen()?;
    let items = tree.list_stream(&args.path, ListOptions::descendants().with_filter(Filter::FilesOnly));
    let paths = Paths::collect(&root, items, &mut signals).await?;
    let counts = paths.draw(&root, depth, &mut session.output)?;
    match session.output.format() {
        Format::Json => session.output.object(&counts)?,
        Format::Text => {
            let Counts { directories, files } = counts;
            let directories = plural(directories, "directory", "directories");
            session.output.summary(format!("\n{directories}, {}", plural(files, "file", "files")))?;
        }
    }
    Ok(Exit::Ok)
}

fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// The paths of all files below a directory, in a temporary file, a line for each: no path holds the end of a line. All
/// files of a directory come together.
struct Paths {
    file: File,
    /// For each directory, in the order in which they come, whether there is something behind it in its own one.
    is_followed: Vec<bool>,
}

impl Paths {
    async fn collect(
        root: &FilePath,
        mut items: impl Stream<Item = Result<ListItem, Error>> + Unpin,
        signals: &mut Signals,
    ) -> Result<Self, Failure> {
        let not_kept =
            |error: io::Error| Failure::local("tree: cannot keep the paths in a temporary file", &error);
        let mut writer = BufWriter::new(tempfile::tempfile().map_err(not_kept)?);
        let mut above = Above::default();
        let mut files = 0_u64;
        loop {
            match next(signals, &mut items).await {
                Ok(Some(Ok(ListItem::Entry(entry)))) => {
                    let below = below(root, &entry.path);
                    above.go_to(&below);
                    writeln!(writer, "{below}").map_err(not_kept)?;
                    files += 1;
                }
                Ok(Some(Ok(ListItem::StartOver))) => {
                    (above, files) = (Above::default(), 0);
                    writer = BufWriter::new(tempfile::tempfile().map_err(not_kept)?);
                }
                Ok(Some(Err(error))) => return Err(Failure::storage("tree", root.as_str(), &error)),
                Ok(None) => break,
                Err(received) => {
                    let done = format!("{files} files were found, nothing was drawn");
                    return Err(interrupted(&format!("tree {:?}", root.as_str()), received, &done));
                }
            }
        }
        let mut file = writer.into_inner().map_err(|error| not_kept(error.into_error()))?;
        file.rewind().map_err(not_kept)?;
        Ok(Self { file, is_followed: above.is_followed })
    }

    fn draw(&self, root: &FilePath, depth: usize, output: &mut Output) -> Result<Counts, Failure> {
        let not_read = |error: io::Error| Failure::local("tree: cannot read the temporary file", &error);
        if output.format() == Format::Text {
            let name = if root.is_root() { "/".to_owned() } else { one_line(root.as_str()) };
            output.line(output.paint(DIRECTORY, &name))?;
        }
        let mut counts = Counts::default();
        let mut above = Above::default();
        let mut lines = BufReader::new(&self.file).lines().peekable();
        while let Some(path) = lines.next() {
            let path = path.map_err(not_read)?;
            let new_from = above.go_to(&path);
            let (directory, name) =
                path.rsplit_once('/').map_or(("", path.as_str()), |(above, name)| (above, name));
            for level in new_from..above.open.len().min(depth) {
                counts.directories += 1;
                let (name, _) = &above.open[level];
                let margin = self.margin(&above.open[..=level]);
                show(root, &path_of(&above.open[..=level]), name, EntryKind::Directory, &margin, output)?;
            }
            if above.open.len() >= depth {
                continue;
            }
            counts.files += 1;
            let next = lines.peek().and_then(|next| next.as_ref().ok());
            let is_last = next.is_none_or(|next| !is_in(next, directory));
            let mut margin = self.lines_of(&above.open);
            margin.push_str(if is_last { "└── " } else { "├── " });
            show(root, &path, name, EntryKind::File, &margin, output)?;
        }
        Ok(counts)
    }

    /// What stands before the name of the last of these directories.
    fn margin(&self, open: &[(String, usize)]) -> String {
        let Some(((_, index), above)) = open.split_last() else { return String::new() };
        let branch = if self.is_followed[*index] { "├── " } else { "└── " };
        self.lines_of(above) + branch
    }

    /// The lines that go down past what lies in these directories.
    fn lines_of(&self, open: &[(String, usize)]) -> String {
        open.iter().map(|(_, index)| if self.is_followed[*index] { "│   " } else { "    " }).collect()
    }
}

/// The directories above the current file, each with its number.
#[derive(Default)]
struct Above {
    open: Vec<(String, usize)>,
    is_followed: Vec<bool>,
}

impl Above {
    /// Goes on to the next file. From which level on its directories are new.
    fn go_to(&mut self, path: &str) -> usize {
        let mut directories: Vec<&str> = path.split('/').collect();
        directories.pop();
        let known = self.open.iter().zip(&directories).take_while(|((open, _), new)| open == **new).count();
        if let Some((_, index)) = self.open.get(known) {
            self.is_followed[*index] = true;
        }
        self.open.truncate(known);
        for name in &directories[known..] {
            self.open.push(((*name).to_owned(), self.is_followed.len()));
            self.is_followed.push(false);
        }
        known
    }
}

/// Whether a path lies in this directory or below it; all do in that without a name.
fn is_in(path: &str, directory: &str) -> bool {
    directory.is_empty() || path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
}

fn path_of(open: &[(String, usize)]) -> String {
    open.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join("/")
}

/// The part of a path that is below the root.
fn below(root: &FilePath, path: &FilePath) -> String {
    path.components().skip(root.components().count()).collect::<Vec<_>>().join("/")
}

fn show(
    root: &FilePath,
    below: &str,
    name: &str,
    kind: EntryKind,
    margin: &str,
    output: &mut Output,
) -> Result<(), Failure> {
    if output.format() == Format::Json {
        let path = if root.is_root() { below.to_owned() } else { format!("{root}/{below}") };
        return output.object(&EntryJson::named(&path, kind));
    }
    let name = one_line(name);
    let name = if kind == EntryKind::Directory { output.paint(DIRECTORY, &name) } else { name };
    output.line(format!("{margin}{name}"))
}
