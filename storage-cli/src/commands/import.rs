//! `kvfs import DIR [PATH]`
//!
//! Three passes: look at the whole directory for what cannot be stored; store all files; load all of them back and
//! compare them with what was read from the disk. Nothing is stored while the first pass has found a problem. Files are
//! stored one by one, so that a directory may be larger than a transaction; `modified` is the time of the import.

mod survey;

use std::fs::File;

use bytes::Bytes;
use serde::Serialize;
use storage_core::kv::KvBackend;
use storage_core::{ErrorKind, Sha1Digest};

use self::survey::{Found, LocalFile, survey};
use super::concurrent::for_each;
use crate::cli::Import;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::local::{blocking, read_within};
use crate::output::Format;
use crate::progress::bar;
use crate::session::{Session, Tree, any_path};

/// A file that is in the store now, as it was read from the disk.
struct Stored {
    path: String,
    size: usize,
    sha1: Sha1Digest,
}

#[derive(Serialize)]
struct StoredJson<'a> {
    path: &'a str,
    size: usize,
    sha1: String,
}

#[derive(Serialize)]
struct SummaryJson {
    imported: usize,
    bytes: u64,
    skipped: usize,
    verified: bool,
}

pub(super) async fn run(args: Import, session: &mut Session) -> Result<Exit, Failure> {
    let target = any_path("import", &args.path)?;
    survey::check_directory(&args.dir)?;
    let tree = session.open().await?;
    let found = survey(&args.dir, &target, &tree).await;
    let (files, skipped) = accepted(&args, found, session)?;

    let bar = bar(&session.output, files.len() * 2, "importing");
    let (wanted, limit) = (files.len(), tree.backend().limits().max_value_bytes);
    let mut stored = Vec::with_capacity(wanted);
    let storing = for_each(
        files,
        |file| store(&tree, file, limit),
        |file| {
            bar.inc(1);
            stored.push(file);
        },
    );
    let failed_after = |done: usize, failure: Failure| {
        failure.with_note(format!("{done} of {wanted} files are stored, running it again is safe"))
    };
    storing.await.map_err(|failure| failed_after(stored.len(), failure))?;

    let verifying = for_each(&stored, |file| verify(&tree, file), |()| bar.inc(1));
    verifying.await.map_err(|failure| failed_after(wanted, failure))?;
    bar.finish_and_clear();

    stored.sort_by(|a, b| a.path.cmp(&b.path));
    summarize(&stored, skipped, session)?;
    Ok(Exit::Ok)
}

/// The files to import if nothing stands in the way, and how many others are left out.
fn accepted(args: &Import, found: Found, session: &Session) -> Result<(Vec<LocalFile>, usize), Failure> {
    for skipped in &found.skipped {
        session.output.warn(skipped);
    }
    for problem in &found.problems {
        session.output.warn(problem);
    }
    match found.problems.len() {
        0 => Ok((found.files, found.skipped.len())),
        problems => Err(Failure::usage(format!(
            "import {:?}: {problems} of what is in it cannot be stored, see above; nothing was stored",
            args.dir.display().to_string()
        ))),
    }
}

async fn store(tree: &Tree, file: LocalFile, limit: usize) -> Result<Stored, Failure> {
    let source = file.source;
    let content: Result<Bytes, Failure> = blocking(move || {
        let name = format!("import {:?}", source.display().to_string());
        let opened = File::open(&source).map_err(|error| Failure::local(&name, &error))?;
        read_within(limit, &name, opened)
    })
    .await;
    let content = content?;
    let path = file.path.to_string();
    let stored = Stored { size: content.len(), sha1: Sha1Digest::of(&content), path };
    let outcome = tree.store(&stored.path, content).await;
    outcome.map_err(|error| Failure::storage("import", &stored.path, &error))?;
    Ok(stored)
}

/// Loads a file back: what counts is what is in the store, not what was sent there.
async fn verify(tree: &Tree, stored: &Stored) -> Result<(), Failure> {
    let loaded = tree.load(&stored.path).await;
    let content = loaded.map_err(|error| Failure::storage("import", &stored.path, &error))?;
    if content.len() == stored.size && Sha1Digest::of(&content) == stored.sha1 {
        return Ok(());
    }
    let why = "the store holds another content than was imported, so somebody else has written it";
    Err(Failure::of_kind(ErrorKind::Conflict, format!("import {:?}: {why}", stored.path)))
}

fn summarize(stored: &[Stored], skipped: usize, session: &mut Session) -> Result<(), Failure> {
    let imported = stored.len();
    let bytes = stored.iter().map(|file| file.size as u64).sum();
    match session.output.format() {
        Format::Json => {
            for Stored { path, size, sha1 } in stored {
                session.output.object(&StoredJson { path, size: *size, sha1: sha1.to_string() })?;
            }
            session.output.object(&SummaryJson { imported, bytes, skipped, verified: true })
        }
        Format::Text => {
            let skipped = if skipped == 0 { String::new() } else { format!(", {skipped} skipped") };
            let files = if imported == 1 { "file" } else { "files" };
            session.output.summary(format!("imported {imported} {files}, {bytes} bytes, verified{skipped}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use kv_memory::MemoryBackend;
    use storage_core::kv::{Key, KvBackendExt};
    use storage_core::{Storage, StorageOptions};

    #[tokio::test]
    async fn what_counts_is_what_is_in_the_store() {
        let memory = MemoryBackend::new();
        let tree: Tree = Storage::open(Arc::new(memory.clone()) as Arc<dyn KvBackend>, StorageOptions::new())
            .await
            .unwrap();
        tree.store("a", "one").await.unwrap();
        let stored = Stored { path: "a".to_owned(), size: 3, sha1: Sha1Digest::of(b"one") };
        verify(&tree, &stored).await.unwrap();

        // Damaged on the way into the store.
        memory.put(Key::new("/caddy/data/a"), "ona".into()).await.unwrap();
        assert_eq!(verify(&tree, &stored).await.unwrap_err().exit(), Exit::Damaged);

        // Whole, but not what was imported.
        tree.store("a", "two").await.unwrap();
        assert_eq!(verify(&tree, &stored).await.unwrap_err().exit(), Exit::Conflict);
    }
}
