//! `kvfs ls [PATH] [-r] [-l]`
//!
//! Entries are printed as the pages come in, so the memory needed does not grow with the directory.

use futures::{Stream, StreamExt, pin_mut};
use storage_core::{DirEntry, EntryKind, Error, ErrorKind, ListItem, ListOptions};

use crate::cli::Ls;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{EntryJson, ErrorJson, Format, Output, rfc3339};
use crate::session::{Session, any_path};

pub(super) async fn run(args: Ls, session: &mut Session) -> Result<Exit, Failure> {
    any_path("ls", &args.path)?;
    let style = if args.long { Style::Long } else { Style::Names };
    let mut options = if args.recursive { ListOptions::descendants() } else { ListOptions::children() };
    if args.long {
        options = options.with_metadata();
    }
    let tree = session.open().await?;
    print(&args.path, tree.list_stream(&args.path, options), style, &mut session.output).await
}

/// What a line of text shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Names,
    Long,
}

/// Prints a listing, and warns of its damaged files.
///
/// All that is printed is of one revision. What has been printed cannot be taken back, so a listing that has to start
/// over after that fails.
async fn print(
    path: &str,
    items: impl Stream<Item = Result<ListItem, Error>>,
    style: Style,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let mut printed = false;
    let mut exit = Exit::Ok;
    pin_mut!(items);
    while let Some(item) = items.next().await {
        match item.map_err(|error| Failure::storage("ls", path, &error)) {
            Ok(ListItem::Entry(entry)) => {
                printed = true;
                exit = exit.max(print_entry(&entry, style, output)?);
            }
            Ok(ListItem::StartOver) if !printed => {}
            Ok(ListItem::StartOver) => {
                output.finish()?;
                let why = "the store compacted away what was being listed, and the list is incomplete";
                let message = format!("ls {path:?}: {why}; run it again");
                return Err(Failure::of_kind(ErrorKind::Unavailable, message));
            }
            Err(failure) => {
                output.finish()?;
                return Err(failure);
            }
        }
    }
    Ok(exit)
}

fn print_entry(entry: &DirEntry, style: Style, output: &mut Output) -> Result<Exit, Failure> {
    let path = entry.path.as_str();
    let damage = match &entry.metadata {
        Some(Err(error)) => Some(Failure::storage("ls", path, error)),
        _ => None,
    };
    match output.format() {
        Format::Json => {
            let named = EntryJson::named(path, entry.kind);
            let object = match &entry.metadata {
                Some(Ok(metadata)) => EntryJson::from(metadata),
                _ => EntryJson { error: damage.as_ref().and_then(ErrorJson::of), ..named },
            };
            output.object(&object)?;
        }
        Format::Text => output.line(text(entry, style))?,
    }
    if let Some(damage) = &damage {
        output.warn(damage);
    }
    Ok(damage.map_or(Exit::Ok, |damage| damage.exit()))
}

fn text(entry: &DirEntry, style: Style) -> String {
    let path = match entry.kind {
        EntryKind::File => entry.path.to_string(),
        EntryKind::Directory => format!("{}/", entry.path),
    };
    match (style, &entry.metadata) {
        (Style::Names, _) => path,
        (Style::Long, Some(Ok(metadata))) => {
            let (size, version) = (metadata.size.to_string(), metadata.version.to_string());
            columns("file", &size, &format!("{:.0}", rfc3339(metadata.modified)), &version, &path)
        }
        (Style::Long, Some(Err(error))) => {
            let what = if error.is_damage() { "damaged" } else { "unreadable" };
            columns("file", what, "-", "-", &path)
        }
        // Only `stat` adds up a directory.
        (Style::Long, None) => columns("dir", "-", "-", "-", &path),
    }
}

fn columns(kind: &str, size: &str, modified: &str, version: &str, path: &str) -> String {
    format!("{kind:<4} {size:>9} {modified:<20} {version:>9} {path}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::io::{self, Write};
    use std::rc::Rc;
    use std::sync::Arc;

    use kv_memory::MemoryBackend;
    use storage_core::kv::{Key, KvBackend, KvBackendExt};
    use storage_core::{Storage, StorageOptions};

    /// What has been printed.
    #[derive(Clone, Default)]
    struct Printed(Rc<RefCell<Vec<u8>>>);

    impl Write for Printed {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Lists 2,500 files, which are several pages, while the store compacts away its history before the `at`-th item.
    async fn list_with_compaction_before(at: usize) -> (Result<Exit, Failure>, String) {
        let memory = MemoryBackend::new();
        let tree = Storage::open(Arc::new(memory.clone()) as Arc<dyn KvBackend>, StorageOptions::new());
        let tree = tree.await.unwrap();
        for group in 0..50 {
            let files = (0..50).map(|file| (format!("d/{group:02}-{file:02}"), "x"));
            tree.store_many(files).await.unwrap();
        }
        let items =
            tree.list_stream("d", ListOptions::children()).enumerate().then(async |(number, item)| {
                if number == at {
                    // A newer revision, for all below it can be compacted.
                    let newest = memory.put(Key::new("other"), "x".into()).await.unwrap();
                    memory.compact(newest).unwrap();
                }
                item
            });
        let printed = Printed::default();
        let mut output = Output::new(Format::Text, printed.clone());
        let result = print("d", items, Style::Names, &mut output).await;
        let text = String::from_utf8(printed.0.take()).unwrap();
        (result, text)
    }

    #[tokio::test]
    async fn a_listing_that_is_never_interrupted_is_complete() {
        let (result, text) = list_with_compaction_before(usize::MAX).await;
        assert_eq!(result.unwrap(), Exit::Ok);
        assert_eq!(text.lines().count(), 2_500);
    }

    #[tokio::test]
    async fn a_listing_that_starts_over_after_something_was_printed_fails() {
        let (result, text) = list_with_compaction_before(10).await;
        let failure = result.unwrap_err();
        assert_eq!(failure.exit(), Exit::Unavailable);
        assert!(format!("{failure:?}").contains("run it again"), "{failure:?}");
        // Nothing of the second start is mixed into the first.
        let lines: Vec<_> = text.lines().collect();
        assert!(lines.is_sorted() && lines.len() < 2_500, "{}", lines.len());
    }

    #[tokio::test]
    async fn starting_over_before_anything_is_printed_does_not_matter() {
        let memory = MemoryBackend::new();
        let tree = Storage::open(memory, StorageOptions::new()).await.unwrap();
        tree.store("a/b", "x").await.unwrap();
        let items = futures::stream::iter([Ok(ListItem::StartOver)])
            .chain(tree.list_stream("", ListOptions::descendants()));
        let printed = Printed::default();
        let mut output = Output::new(Format::Text, printed.clone());
        assert_eq!(print("", items, Style::Names, &mut output).await.unwrap(), Exit::Ok);
        assert_eq!(printed.0.take(), b"a/\na/b\n");
    }
}
