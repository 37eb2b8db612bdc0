use bytes::Bytes;
use futures::TryStreamExt;

use super::check::Check;
use super::stat::is_compacted;
use super::store::NewFile;
use super::write::{Write, Written};
use super::{Storage, Trace};
use crate::error::{Error, ErrorKind, Result};
use crate::kv::{
    BackendError, Entry, Get, KeyRange, KvBackend, KvBackendExt, Op, OpReply, Projection, RangeRequest, Txn,
};
use crate::layout::{Half, QuarantinePart};
use crate::metadata::{File, Metadata};
use crate::observe::operation;
use crate::path::FilePath;
use crate::problem::{Halves, Problem};
use crate::quarantine::{QuarantineId, QuarantineRecord, Quarantined, QuarantinedFile};

/// How many records are asked for at once.
const RECORDS: usize = 64;

impl<B: KvBackend> Storage<B> {
    /// Moves a damaged file out of the tree, as [`verify`](Self::verify) has found it: both its values, byte for byte, to
    /// the quarantine below the same prefix, with a record of when, why and by whom. It is one transaction, so the file
    /// is in exactly one of the two places whatever happens. Nothing is deleted. Two round trips.
    ///
    /// # Errors
    ///
    /// `Conflict` when the file was written or deleted since it was verified: nothing is moved. `Unsupported` for a
    /// problem that is not [movable](crate::ProblemKind::is_movable). `TooLarge` when the values and the record do not fit
    /// into one transaction; they stay where they are.
    pub async fn quarantine(&self, problem: &Problem) -> Result<Quarantined> {
        let path = problem.path.as_ref().map(FilePath::as_str);
        operation("quarantine", path, self.move_to_quarantine(problem)).await
    }

    /// Lists what is in the quarantine, by its names there.
    ///
    /// A listing of the keys, and one round trip for every 64 files.
    ///
    /// # Errors
    ///
    /// Those of every operation. Keys that nobody has moved there are passed over.
    pub async fn quarantined(&self) -> Result<Vec<Quarantined>> {
        let listed = async {
            let mut files = self.files_in_quarantine().await?;
            for files in files.chunks_mut(RECORDS.min(self.backend().limits().max_txn_ops)) {
                self.read_quarantine_records(files).await?;
            }
            Ok(files)
        };
        operation("quarantined", None, listed).await
    }

    /// Loads a file from the quarantine: its two values as they were moved, verified in no way. One round trip.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn load_quarantined(&self, id: QuarantineId) -> Result<QuarantinedFile> {
        let name = id.to_string();
        operation("load_quarantined", name.as_str(), async {
            let mut file = self.find_quarantined(id).await?.file();
            [file.content, file.metadata] =
                [file.content, file.metadata].map(|value| value.map(|value| self.bare(value)));
            Ok(file)
        })
        .await
    }

    /// Moves a file from the quarantine back to its path, with the time at which it was written, if it is whole and the path
    /// is free. Two round trips.
    ///
    /// # Errors
    ///
    /// `NotFound`; `ChecksumMismatch`, `Corrupt` or `Unsupported` when it is not whole; `AlreadyExists`, `IsADirectory`,
    /// `NotADirectory`, or `Conflict` for content without metadata, when there is something at its path, below or above
    /// it. It stays in the quarantine then.
    pub async fn restore_quarantined(&self, id: QuarantineId) -> Result<Metadata> {
        let name = id.to_string();
        operation("restore_quarantined", name.as_str(), self.move_from_quarantine(id)).await
    }

    /// Deletes a file in the quarantine for good. One round trip. This is the only operation that does.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn delete_quarantined(&self, id: QuarantineId) -> Result<()> {
        let deleted = async {
            let range = self.keyspace().quarantined(id);
            let trace = Trace::of_deletion(self.surroundings(), [range.clone()]);
            let write = Write { ops: vec![Op::DeleteRange(range)], trace, ..Write::default() };
            let (_, replies) = self.write_or_refuse(write).await?;
            match replies.first() {
                Some(OpReply::Deleted(1..)) => Ok(()),
                _ => Err(Error::new(ErrorKind::NotFound)),
            }
        };
        let name = id.to_string();
        operation("delete_quarantined", name.as_str(), deleted).await
    }

    /// What a value stands for in this layout, or the value where it stands for nothing.
    fn bare(&self, value: Bytes) -> Bytes {
        self.keyspace().decode_content(value.clone()).unwrap_or(value)
    }

    async fn move_to_quarantine(&self, problem: &Problem) -> Result<Quarantined> {
        let Some(path) = problem.path.as_ref().filter(|_| problem.kind.is_movable()) else {
            let detail = format!("only damaged files are moved to the quarantine; this is {}", problem.kind);
            return Err(Error::new(ErrorKind::Unsupported).with_detail(detail));
        };
        let deadline = self.deadline();
        let keys = [Half::Data, Half::Meta].map(|half| (half, self.keyspace().half(half, path)));
        let gets = keys.iter().fold(Txn::new(), |txn, (_, key)| txn.then(Op::Get(Get::key(key.clone()))));
        let [data, meta] = self.read(gets).await?;
        let found = [data.into_iter().next(), meta.into_iter().next()];
        let [data, meta] = found.each_ref().map(|entry| entry.as_ref().map(|entry| entry.mod_revision));
        if (Halves { data, meta }) != problem.halves {
            return Err(Error::new(ErrorKind::Conflict)
                .with_path(path)
                .with_detail("it was written or deleted since it was verified"));
        }

        let id = QuarantineId::random(self.surroundings());
        let content = found[0].as_ref().map(|data| self.bare(data.value.clone()));
        let size = content.map(|content| content.len() as u64);
        let record = QuarantineRecord::own(problem.kind.name(), size, self.surroundings().wall_clock());
        let trace = Trace::of_deletion(
            self.surroundings(),
            keys.iter().map(|(_, key)| KeyRange::single(key.clone())),
        );
        let mut write = Write { trace, ..Write::default() };
        for ((half, key), entry) in keys.into_iter().zip(found) {
            let seen = entry.as_ref().map(|entry| entry.mod_revision);
            write.checks.push(Check::Unchanged(key.clone(), seen, path.clone()));
            if let Some(Entry { value, .. }) = entry {
                let key_there = self.keyspace().quarantined_half(id, half, path);
                write.ops.push(Op::Put { key: key_there, value, lease: None });
                write.ops.push(Op::Delete(key));
            }
        }
        let key = self.keyspace().quarantine_record(id);
        write.ops.push(Op::Put { key, value: record.encode(), lease: None });
        match self.write_by(deadline, write).await? {
            Written::Done(..) => Ok(Quarantined::of(id, path.clone(), Some(record))),
            Written::Refused(error, _) => Err(error),
        }
    }

    async fn move_from_quarantine(&self, id: QuarantineId) -> Result<Metadata> {
        let deadline = self.deadline();
        let found = self.find_quarantined(id).await?;
        let path = found.path.clone();
        let (Some(meta), content) = (found.meta, found.data) else {
            let detail = "there is content without metadata";
            return Err(Error::new(ErrorKind::Corrupt).with_path(path).with_detail(detail));
        };
        let keys = [Some(&meta), content.as_ref()]
            .map(|entry| entry.map(|entry| (entry.key.clone(), entry.mod_revision)));
        let file = File::verified(self.keyspace(), path.clone(), &meta, content)?;
        let new = NewFile::moved(self.surroundings(), &file, path.clone());
        let still_there = keys
            .iter()
            .flatten()
            .map(|(key, revision)| Check::Unchanged(key.clone(), Some(*revision), path.clone()));
        let checks = still_there
            .chain([
                Check::Absent(path.clone()),
                Check::Unchanged(self.keyspace().data(&path), None, path.clone()),
            ])
            .chain(Check::file_may_be_at(&path))
            .collect();
        let (puts, trace) = new.puts(self.keyspace());
        let mut ops = puts.to_vec();
        ops.push(Op::DeleteRange(self.keyspace().quarantined(id)));
        match self.write_by(deadline, Write { checks, ops, trace, ..Write::default() }).await? {
            Written::Done(revision, _) => Ok(new.stored_at(revision).metadata),
            Written::Refused(error, _) => Err(error),
        }
    }

    async fn find_quarantined(&self, id: QuarantineId) -> Result<Found> {
        let get = Get::range(self.keyspace().quarantined(id));
        let [entries] = self.read(Txn::new().then(Op::Get(get))).await?;
        let (mut path, mut data, mut meta, mut record) = (None, None, None, None);
        for entry in entries {
            match self.keyspace().of_quarantined(&entry.key) {
                Some((_, QuarantinePart::Half(half, of))) => {
                    path.get_or_insert(of);
                    match half {
                        Half::Data => data = Some(entry),
                        Half::Meta => meta = Some(entry),
                    }
                }
                Some((_, QuarantinePart::Record)) => record = QuarantineRecord::decode(&entry.value),
                None => {}
            }
        }
        let path = path.ok_or_else(|| Error::new(ErrorKind::NotFound))?;
        Ok(Found { id, path, data, meta, record })
    }

    /// The files in the quarantine by their keys; a listing that is compacted away begins again.
    async fn files_in_quarantine(&self) -> Result<Vec<Quarantined>> {
        loop {
            match self.scan_quarantine().await {
                Err(error) if is_compacted(&error) => {}
                files => return files.map_err(Error::of_read),
            }
        }
    }

    async fn scan_quarantine(&self) -> Result<Vec<Quarantined>, BackendError> {
        let keys = RangeRequest::new(self.keyspace().quarantine()).with_projection(Projection::KeysOnly);
        let mut keys = self.backend().scan(keys);
        let mut files: Vec<Quarantined> = Vec::new();
        while let Some(Entry { key, .. }) = keys.try_next().await? {
            let Some((id, QuarantinePart::Half(_, path))) = self.keyspace().of_quarantined(&key) else {
                continue;
            };
            if files.last().is_none_or(|last| last.id != id) {
                files.push(Quarantined::of(id, path, None));
            }
        }
        Ok(files)
    }

    async fn read_quarantine_records(&self, files: &mut [Quarantined]) -> Result<()> {
        let gets = files.iter().map(|file| Op::Get(Get::key(self.keyspace().quarantine_record(file.id))));
        let entries = self.read_all(gets.fold(Txn::new(), Txn::then)).await?;
        for (file, entries) in files.iter_mut().zip(entries) {
            let record = entries.first().and_then(|entry| QuarantineRecord::decode(&entry.value));
            *file = Quarantined::of(file.id, file.path.clone(), record);
        }
        Ok(())
    }
}

/// What lies in the quarantine under one name.
struct Found {
    id: QuarantineId,
    path: FilePath,
    data: Option<Entry>,
    meta: Option<Entry>,
    record: Option<QuarantineRecord>,
}

impl Found {
    fn file(self) -> QuarantinedFile {
        let file = Quarantined::of(self.id, self.path, self.record);
        let value = |entry: Option<Entry>| entry.map(|entry| entry.value);
        QuarantinedFile { file, content: value(self.data), metadata: value(self.meta) }
    }
}
