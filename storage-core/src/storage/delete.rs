use super::check::Check;
use super::write::Write;
use super::{Storage, Trace};
use crate::error::Result;
use crate::kv::{KeyRange, KvBackend, Op, OpReply};
use crate::observe::operation;
use crate::path::FilePath;

impl<B: KvBackend> Storage<B> {
    /// Deletes a file, or a directory with everything below it, atomically; answers how many files that were. One
    /// round trip, whatever their number. Nothing there is no error: it answers 0.
    ///
    /// It works while the store is full, with a second round trip, where the store itself lets deletions pass. If the
    /// answer is lost then, the outcome stays unknown.
    ///
    /// # Errors
    ///
    /// `InvalidPath` also for the root, which only [`delete_all`](Self::delete_all) empties.
    pub async fn delete(&self, path: &str) -> Result<u64> {
        operation("delete", path, self.delete_under(Vec::new(), path)).await
    }

    /// Deletes a file or directory if what is given holds as well.
    pub(crate) async fn delete_under(&self, fence: Vec<Check>, path: &str) -> Result<u64> {
        let file = self.keyspace().file_path(path)?;
        self.delete_counting(fence, Some(&file), &file).await
    }

    /// Deletes a file and never a directory; answers whether there was one (1) or nothing (0). One round trip.
    ///
    /// # Errors
    ///
    /// `IsADirectory` when files lie below the path, `InvalidPath` also for the root.
    pub async fn delete_file(&self, path: &str) -> Result<u64> {
        let deleted = async {
            let file = self.keyspace().file_path(path)?;
            let (meta, data) = (self.keyspace().meta(&file), self.keyspace().data(&file));
            let trace = Trace::of_deletion(self.surroundings(), [KeyRange::single(meta.clone())]);
            let ops = vec![Op::Delete(meta), Op::Delete(data)];
            let checks = vec![Check::NotADirectory(file)];
            let write = Write { checks, ops, trace, ..Write::default() };
            let (_, replies) = self.write_or_refuse(write).await?;
            Ok(deleted_count(replies.first()))
        };
        operation("delete_file", path, deleted).await
    }

    /// Deletes all files of the tree, atomically; answers how many that were. One round trip.
    ///
    /// # Errors
    ///
    /// Those of every operation.
    pub async fn delete_all(&self) -> Result<u64> {
        operation("delete_all", None, self.delete_counting(Vec::new(), None, &FilePath::root())).await
    }

    /// Deletes everything below a path, and a file; counts the metadata records.
    async fn delete_counting(
        &self,
        fence: Vec<Check>,
        file: Option<&FilePath>,
        below: &FilePath,
    ) -> Result<u64> {
        let meta = file.map(|file| KeyRange::single(self.keyspace().meta(file)));
        let meta: Vec<_> = meta.into_iter().chain([self.keyspace().meta_below(below)]).collect();
        let data = file.map(|file| KeyRange::single(self.keyspace().data(file)));
        let data = data.into_iter().chain(self.keyspace().data_below(below));
        let counted = meta.len();
        let write = Write {
            checks: fence,
            ops: meta.iter().cloned().chain(data).map(Op::DeleteRange).collect(),
            trace: Trace::of_deletion(self.surroundings(), meta),
            ..Write::default()
        };
        let (_, replies) = self.write_or_refuse(write).await?;
        Ok(replies.iter().take(counted).map(|reply| deleted_count(Some(reply))).sum())
    }
}

fn deleted_count(reply: Option<&OpReply>) -> u64 {
    if let Some(OpReply::Deleted(count)) = reply { *count } else { 0 }
}
