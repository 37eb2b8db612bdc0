//! `kvfs du [PATH] [-s] [-d DEPTH] [--human]`
//!
//! Files come in an order in which all of a directory are together, so only the directories above the current file are
//! kept. A directory is printed behind those in it, as `du` does.

use futures::Stream;
use indicatif::BinaryBytes;
use serde::Serialize;
use storage_core::{EntryKind, Error, ErrorKind, FilePath, Filter, ListItem, ListOptions};

use super::until_signal::{interrupted, next};
use crate::cli::Du;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Format, Output, kind_word};
use crate::session::{Session, any_path};
use crate::signals::Signals;

/// A sum as JSON. The names of its fields do not change.
#[derive(Serialize)]
struct SumJson<'a> {
    path: &'a str,
    kind: &'static str,
    size: u64,
    files: u64,
}

pub(super) async fn run(args: Du, session: &mut Session) -> Result<Exit, Failure> {
    let root = any_path("du", &args.path)?;
    let tree = session.open().await?;
    let options = ListOptions::descendants().with_metadata().with_filter(Filter::FilesOnly);
    let depth = if args.summarize { Some(0) } else { args.depth };
    let sums = Sums::below(root, depth, args.human);
    let mut signals = Signals::listen()?;
    match sums.add_up(tree.list_stream(&args.path, options), &mut signals, &mut session.output).await {
        Err(Ended::AFile) => {
            let metadata = tree.stat(&args.path).await;
            let metadata = metadata.map_err(|error| Failure::storage("du", &args.path, &error))?;
            let sum = Sum { path: metadata.path, size: metadata.size, files: 1 };
            print(&sum, metadata.kind, args.human, &mut session.output)?;
            Ok(Exit::Ok)
        }
        Err(Ended::Failed(failure)) => {
            session.output.finish()?;
            Err(failure)
        }
        Ok(exit) => Ok(exit),
    }
}

/// Why nothing was added up.
enum Ended {
    /// The path is a file's.
    AFile,
    Failed(Failure),
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// What the files of a directory come to.
#[derive(Clone, Debug)]
struct Sum {
    path: FilePath,
    size: u64,
    files: u64,
}

/// The directories above the current file, from the top.
struct Sums {
    open: Vec<Sum>,
    depth: Option<usize>,
    human: bool,
    printed: bool,
}

impl Sums {
    fn below(root: FilePath, depth: Option<usize>, human: bool) -> Self {
        Self { open: vec![Sum { path: root, size: 0, files: 0 }], depth, human, printed: false }
    }

    async fn add_up(
        mut self,
        mut items: impl Stream<Item = Result<ListItem, Error>> + Unpin,
        signals: &mut Signals,
        output: &mut Output,
    ) -> Result<Exit, Ended> {
        let root = self.open[0].path.clone();
        let mut exit = Exit::Ok;
        let mut files = 0_u64;
        loop {
            let item = match next(signals, &mut items).await {
                Ok(Some(item)) => item,
                Ok(None) => break,
                Err(received) => {
                    let done = format!("the sums are incomplete, {files} files were added up");
                    return Err(interrupted(&format!("du {:?}", root.as_str()), received, &done).into());
                }
            };
            match item {
                Ok(ListItem::Entry(entry)) => {
                    self.go_to(&entry.path, output)?;
                    files += 1;
                    match entry.metadata {
                        Some(Ok(metadata)) => self.add(metadata.size),
                        Some(Err(error)) => {
                            let damage = Failure::storage("du", entry.path.as_str(), &error);
                            exit = exit.max(damage.exit());
                            output.warn(&damage);
                            self.add(0);
                        }
                        None => self.add(0),
                    }
                }
                Ok(ListItem::StartOver) if !self.printed => {
                    self = Self::below(root.clone(), self.depth, self.human);
                    (exit, files) = (Exit::Ok, 0);
                }
                Ok(ListItem::StartOver) => {
                    let why = "the store compacted away what was being added up, and the sums are incomplete";
                    let message = format!("du {:?}: {why}; run it again", root.as_str());
                    return Err(Failure::of_kind(ErrorKind::Unavailable, message).into());
                }
                Err(error) if error.kind() == ErrorKind::NotADirectory => return Err(Ended::AFile),
                Err(error) => return Err(Failure::storage("du", root.as_str(), &error).into()),
            }
        }
        while !self.open.is_empty() {
            self.close(output)?;
        }
        Ok(exit)
    }

    /// Closes the directories that this file is not in, and opens those that it is in.
    fn go_to(&mut self, file: &FilePath, output: &mut Output) -> Result<(), Failure> {
        while self.open.last().is_some_and(|sum| !sum.path.is_above(file)) {
            self.close(output)?;
        }
        let known = self.open.last().map(|sum| sum.path.clone());
        let new = file.ancestors().filter(|above| known.as_ref().is_none_or(|known| known.is_above(above)));
        self.open.extend(new.map(|path| Sum { path, size: 0, files: 0 }));
        Ok(())
    }

    fn add(&mut self, size: u64) {
        if let Some(sum) = self.open.last_mut() {
            sum.size = sum.size.saturating_add(size);
            sum.files += 1;
        }
    }

    /// Prints the innermost directory, and adds it to the one that it is in.
    fn close(&mut self, output: &mut Output) -> Result<(), Failure> {
        let Some(sum) = self.open.pop() else { return Ok(()) };
        if self.depth.is_none_or(|depth| self.open.len() <= depth) {
            self.printed = true;
            print(&sum, EntryKind::Directory, self.human, output)?;
        }
        if let Some(above) = self.open.last_mut() {
            above.size = above.size.saturating_add(sum.size);
            above.files += sum.files;
        }
        Ok(())
    }
}

fn print(sum: &Sum, kind: EntryKind, human: bool, output: &mut Output) -> Result<(), Failure> {
    if output.format() == Format::Json {
        let path = sum.path.as_str();
        return output.object(&SumJson { path, kind: kind_word(kind), size: sum.size, files: sum.files });
    }
    let size = if human { BinaryBytes(sum.size).to_string() } else { sum.size.to_string() };
    let slash = if kind == EntryKind::Directory { "/" } else { "" };
    output.line(format!("{size}\t{}{slash}", sum.path))
}
