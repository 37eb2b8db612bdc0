//! Writing a tar: as a whole, in the order of its paths, and checked before it has its name.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Seek};
use std::path::Path;

use futures::{StreamExt, pin_mut, stream};
use storage_core::ErrorKind;
use tempfile::TempPath;

use super::archive::{Archive, Writer};
use super::copy::{Action, Done, Ended, Job, Tally};
use super::order::{Extras, Mode};
use super::{Item, Loaded, Verb, find};
use crate::commands::concurrent::AT_ONCE;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::local::{Existing, Found, blocking};
use crate::location::TarFile;

/// Writes everything into a tar.
pub(super) async fn pack(job: &Job<'_>, tar: &TarFile) -> Result<Tally, Ended> {
    let mut tally = Tally::default();
    match pack_into(job, tar, &mut tally).await {
        Ok(()) => Ok(tally),
        Err(failure @ Failure::ReaderGone) => Err((tally, failure)),
        Err(failure) => Err((tally, failure.with_note("the tar was not written"))),
    }
}

/// A tar that is there already, under the name of the one to be written.
struct Old {
    archive: Archive,
    items: Vec<Item>,
}

async fn pack_into(job: &Job<'_>, tar: &TarFile, tally: &mut Tally) -> Result<(), Failure> {
    let (verb, about) = (job.order.verb, job.order.about());
    let old = match tar {
        TarFile::Standard => None,
        TarFile::File(path) => {
            let (path, interrupt) = (path.clone(), job.interrupt.clone());
            blocking(move || look(verb, &path, &interrupt)).await?
        }
    };
    let gone: Vec<&Item> = match &old {
        Some(old) => {
            old.items.iter().filter(|there| find(&job.survey.items, &there.path).is_none()).collect()
        }
        None => Vec::new(),
    };
    let may_drop = job.order.extras == Extras::Delete || verb == Verb::Export;
    if !gone.is_empty() && !may_drop {
        let count = gone.len();
        let what = format!("the tar has {count} files that the source has not, and is written as a whole");
        let hint = "`kvfs sync --delete` replaces it; or choose another name";
        return Err(Failure::of_kind(ErrorKind::AlreadyExists, format!("{about}: {what}; {hint}")));
    }

    let directory = match tar {
        TarFile::File(path) if job.order.mode == Mode::Real => Some(directory_of(path).to_owned()),
        _ => None,
    };
    let failed = |error: &io::Error| Failure::local(format!("{about}: cannot write the tar"), error);
    let writer = blocking(move || Writer::create(directory.as_deref())).await;
    let writer = write(job, old.as_ref(), writer.map_err(|error| failed(&error))?, tally).await?;
    if tally.problems.is_empty() && job.survey.damaged.is_empty() {
        tally.deleted = gone.iter().map(|item| item.path.clone()).collect();
    } else if let Some(old) = &old
        && loses(old, tally)
    {
        job.survey.damaged.iter().for_each(|(_, damage)| tally.problems.push(damage.clone()));
        let why = "not everything could be read, and the tar that is there has files that would be lost";
        return Err(Failure::of_kind(ErrorKind::Conflict, format!("{about}: {why}")));
    }
    if job.order.mode == Mode::Dry {
        return Ok(());
    }

    let written = blocking(move || writer.finish()).await.map_err(|error| failed(&error))?;
    let copy = written.file.try_clone().map_err(|error| failed(&error))?;
    let archive = Archive::of(copy, "the tar that was written".to_owned());
    verify(job, archive, tally).await?;
    if let (TarFile::File(path), Some(name)) = (tar, written.name) {
        let (path, existing) = (path.clone(), job.order.existing);
        return blocking(move || keep(&path, name, existing, old.is_some(), &about)).await;
    }
    let mut file = written.file;
    let copied = blocking(move || {
        file.rewind()?;
        io::copy(&mut file, &mut io::stdout().lock())
    });
    let copied = async {
        copied.await.map(drop).map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::ReaderGone,
            _ => Failure::local("cannot write to standard output", &error),
        })
    };
    job.interrupt.unless(&about, copied).await
}

/// Whether a tar that is there has files that were not written.
fn loses(old: &Old, tally: &Tally) -> bool {
    let written: BTreeSet<_> = tally.done.iter().map(|done| &done.path).collect();
    old.items.iter().any(|there| !written.contains(&there.path))
}

/// What is at the place of the tar. An empty file is as good as none.
fn look(verb: Verb, path: &Path, interrupt: &Interrupt) -> Result<Option<Old>, Failure> {
    let about = verb.about(&path.display().to_string());
    let found = Found::at(path).map_err(|error| Failure::local(&about, &error))?;
    match found {
        Found::Nothing => Ok(None),
        Found::File if fs::metadata(path).is_ok_and(|metadata| metadata.len() == 0) => Ok(None),
        Found::File => {
            let archive = Archive::open(verb, &TarFile::File(path.to_owned()))?;
            let survey = archive.survey(verb, interrupt).map_err(|failure| {
                failure.with_note("it is not replaced; move it away or choose another name")
            })?;
            Ok(Some(Old { archive, items: survey.items }))
        }
        found @ (Found::Directory | Found::Other) => {
            let what = format!("{about}: is {}; move it away", found.describe());
            Err(Failure::of_kind(ErrorKind::AlreadyExists, what))
        }
    }
}

/// Loads a few files at once, and writes them one after the other.
async fn write(
    job: &Job<'_>,
    old: Option<&Old>,
    mut writer: Writer,
    tally: &mut Tally,
) -> Result<Writer, Failure> {
    let verb = job.order.verb;
    let loads = stream::iter(&job.survey.items)
        .take_while(|_| std::future::ready(!job.interrupt.has_come()))
        .map(|item| async move {
            let room = job.budget.room_for(item.size).await;
            let loaded = job.load(item).await?;
            Ok::<_, Failure>((room, item, loaded))
        })
        .buffered(AT_ONCE);
    pin_mut!(loads);
    while let Some(loaded) = loads.next().await {
        let (_room, item, loaded) = loaded?;
        let file = match loaded {
            Ok(file) => file,
            Err(problem) => {
                tally.problems.push(problem);
                continue;
            }
        };
        let path = job.to(item);
        let action = match old.and_then(|old| Some((old, find(&old.items, path)?))) {
            None => Action::Copied,
            Some((old, there)) => {
                let (archive, there, size) = (old.archive.clone(), there.clone(), file.content.len() as u64);
                let loaded =
                    blocking(move || (there.size == size).then(|| archive.load(verb, &there)).transpose());
                let is_same = loaded.await?.is_some_and(|there| there.sha1 == file.sha1);
                if is_same { Action::Unchanged } else { Action::Replaced }
            }
        };
        tally.done.push(Done::of(path, action, &file));
        job.bar.step(file.content.len() as u64);
        let path = path.clone();
        let Loaded { content, modified, .. } = file;
        writer = blocking(move || writer.append(&path, &content, modified).map(|()| writer)).await.map_err(
            |error| Failure::local(format!("{}: cannot write the tar", job.order.about()), &error),
        )?;
    }
    job.interrupt.check(|| format!("{}: interrupted", job.order.about()))?;
    Ok(writer)
}

/// Reads the tar back: its headers as anybody would, and every content.
async fn verify(job: &Job<'_>, archive: Archive, tally: &Tally) -> Result<(), Failure> {
    let (verb, about) = (job.order.verb, job.order.about());
    job.bar.begin_verifying();
    let interrupt = job.interrupt.clone();
    let expected: Vec<_> = tally.done.iter().map(|done| (done.path.clone(), done.size, done.sha1)).collect();
    let verified = blocking(move || {
        let survey = archive.survey(verb, &interrupt)?;
        let is_complete =
            survey.problems.is_empty() && survey.skipped.is_empty() && survey.items.len() == expected.len();
        for (item, (path, size, sha1)) in survey.items.iter().zip(&expected) {
            interrupt.check(|| format!("{about}: interrupted"))?;
            let loaded = archive.load(verb, item)?;
            if (&item.path, item.size, loaded.sha1) != (path, *size, *sha1) {
                return Ok::<_, Failure>((false, about));
            }
        }
        Ok((is_complete, about))
    });
    match verified.await? {
        (true, _) => Ok(()),
        (false, about) => {
            let error = io::Error::new(io::ErrorKind::InvalidData, "it does not hold what was written");
            Err(Failure::local(format!("{about}: the tar"), &error))
        }
    }
}

/// Gives the tar its name, unless what has it is the same to the byte.
fn keep(path: &Path, name: TempPath, existing: Existing, is_there: bool, about: &str) -> Result<(), Failure> {
    let failed =
        |error: &io::Error| Failure::local(format!("{about}: cannot write {}", path.display()), error);
    if is_there && is_same(path, &name).map_err(|error| failed(&error))? {
        return Ok(());
    }
    let conflict = || {
        let message = format!("{about}: {} is there already; --force replaces it", path.display());
        Failure::of_kind(ErrorKind::AlreadyExists, message)
    };
    if existing == Existing::Keep && is_there {
        return Err(conflict());
    }
    // An empty file holds nothing that could be lost.
    let kept = match existing {
        Existing::Keep if !path.exists() => name.persist_noclobber(path),
        _ => name.persist(path),
    };
    kept.map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => conflict(),
        _ => failed(&error.error),
    })?;
    crate::local::sync_directory(directory_of(path)).map_err(|error| failed(&error))
}

fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    use io::Read;
    if fs::metadata(one)?.len() != fs::metadata(other)?.len() {
        return Ok(false);
    }
    let (mut one, mut other) = (fs::File::open(one)?, fs::File::open(other)?);
    let (mut left, mut right) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let read = one.read(&mut left)?;
        if read == 0 {
            return Ok(true);
        }
        other.read_exact(&mut right[..read])?;
        if left[..read] != right[..read] {
            return Ok(false);
        }
    }
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."))
}
