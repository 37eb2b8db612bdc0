use std::collections::BTreeSet;

use bytes::Bytes;

use super::Storage;
use super::check::Check;
use super::store::NewFile;
use super::write::Write;
use crate::environment::Surroundings;
use crate::error::{Error, ErrorKind, Result};
use crate::kv::KvBackend;
use crate::layout::Layout;
use crate::metadata::Metadata;
use crate::observe::operation;
use crate::path::FilePath;

impl<B: KvBackend> Storage<B> {
    /// Stores several files, all or none, at one revision; makes them or replaces them. One round trip. Answers their
    /// metadata in the order given; an empty group is stored without asking the store.
    ///
    /// # Errors
    ///
    /// Those of [`store`](Self::store), for any of the files, which the error names. `InvalidPath` when a file is named
    /// twice, `NotADirectory` when one would lie below another of the group. `TooLarge` when the group is more than a
    /// transaction can hold: nothing is sent then, and nothing is ever split.
    pub async fn store_many<P, C>(
        &self,
        files: impl IntoIterator<Item = (P, C)> + Send,
    ) -> Result<Vec<Metadata>>
    where
        P: AsRef<str>,
        C: Into<Bytes>,
    {
        let files = collect(self.keyspace(), self.surroundings(), files);
        operation("store_many", None, async { self.store_group(Vec::new(), files?).await }).await
    }

    /// Stores a group if what is given holds as well.
    pub(crate) async fn store_group(&self, fence: Vec<Check>, files: Vec<NewFile>) -> Result<Vec<Metadata>> {
        if files.is_empty() {
            return Ok(Vec::new());
        }
        // Files of one directory share what is above them; a transaction has no room to ask twice.
        let above: BTreeSet<&str> = files.iter().flat_map(|file| file.path.beginnings()).collect();
        let above = above.into_iter().map(|path| Check::NotAFile(FilePath::known(path)));
        let below = files.iter().map(|file| Check::NotADirectory(file.path.clone()));
        let checks = fence.into_iter().chain(above).chain(below).collect();
        let (puts, traces): (Vec<_>, Vec<_>) = files.iter().map(|file| file.puts(self.keyspace())).unzip();
        // All or none was stored, so that one of them tells.
        let (ops, trace) =
            (puts.into_iter().flatten().collect(), traces.into_iter().next().unwrap_or_default());
        let (revision, _) = self.write_or_refuse(Write { checks, ops, trace, ..Write::default() }).await?;
        Ok(files.into_iter().map(|file| file.stored_at(revision).metadata).collect())
    }
}

/// The files of a group, which must be able to exist side by side.
pub(crate) fn collect<P, C>(
    layout: &Layout,
    surroundings: &Surroundings,
    files: impl IntoIterator<Item = (P, C)>,
) -> Result<Vec<NewFile>>
where
    P: AsRef<str>,
    C: Into<Bytes>,
{
    let mut seen: BTreeSet<FilePath> = BTreeSet::new();
    let mut group = Vec::new();
    for (path, content) in files {
        let path = layout.file_path(path.as_ref())?;
        if !seen.insert(path.clone()) {
            return Err(Error::new(ErrorKind::InvalidPath)
                .with_path(path)
                .with_detail("named twice in a group"));
        }
        group.push(NewFile::now(surroundings, path, content.into()));
    }
    for path in &seen {
        if let Some(above) = path.ancestors().find(|above| seen.contains(above)) {
            let detail = format!("the group stores a file there and one below it, {path:?}");
            return Err(Error::new(ErrorKind::NotADirectory).with_path(above).with_detail(detail));
        }
    }
    Ok(group)
}
