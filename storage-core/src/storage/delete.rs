use super::check::Check;
use super::write::Write;
use super::{InContext, Storage, file_path};
use crate::error::Result;
use crate::kv::{KvBackend, Op, OpReply};
use crate::path::FilePath;

impl<B: KvBackend> Storage<B> {
    /// Deletes a file, or a directory with everything below it, atomically; answers how many files that were. One
    /// round trip, whatever their number. Nothing there is no error: it answers 0.
    ///
    /// It puts nothing, so that it works while the store is full, where the store itself lets that pass.
    ///
    /// # Errors
    ///
    /// `InvalidPath` also for the root, which only [`delete_all`](Self::delete_all) empties.
    pub async fn delete(&self, path: &str) -> Result<u64> {
        self.delete_under(None, path).await.in_context("delete", path)
    }

    /// Deletes a file or directory if what is given holds as well.
    pub(crate) async fn delete_under(&self, fence: Option<Check>, path: &str) -> Result<u64> {
        let file = file_path(path)?;
        let (meta, data) = (self.layout().meta(&file), self.layout().data(&file));
        self.delete_counting(fence, [Op::Delete(meta)], [Op::Delete(data)], &file).await
    }

    /// Deletes a file and never a directory; answers whether there was one (1) or nothing (0). One round trip.
    ///
    /// # Errors
    ///
    /// `IsADirectory` when files lie below the path, `InvalidPath` also for the root.
    pub async fn delete_file(&self, path: &str) -> Result<u64> {
        let deleted = async {
            let file = file_path(path)?;
            let ops = vec![Op::Delete(self.layout().meta(&file)), Op::Delete(self.layout().data(&file))];
            let checks = vec![Check::NotADirectory(file)];
            let (_, replies) = self.write_or_refuse(Write { checks, ops, otherwise: Vec::new() }).await?;
            Ok(deleted_count(replies.first()))
        };
        deleted.await.in_context("delete_file", path)
    }

    /// Deletes all files of the tree, atomically; answers how many that were. One round trip.
    ///
    /// # Errors
    ///
    /// Those of every operation.
    pub async fn delete_all(&self) -> Result<u64> {
        let deleted = self.delete_counting(None, [], [], &FilePath::root()).await;
        deleted.map_err(|error| error.with_operation("delete_all"))
    }

    /// Deletes everything below a path, and beside it what is given; counts the metadata records.
    async fn delete_counting<const N: usize>(
        &self,
        fence: Option<Check>,
        meta: [Op; N],
        data: [Op; N],
        below: &FilePath,
    ) -> Result<u64> {
        let meta = meta.into_iter().chain([Op::DeleteRange(self.layout().meta_below(below))]);
        let data = data.into_iter().chain([Op::DeleteRange(self.layout().data_below(below))]);
        let (checks, ops) = (Vec::from_iter(fence), meta.chain(data).collect());
        let write = Write { checks, ops, otherwise: Vec::new() };
        let (_, replies) = self.write_or_refuse(write).await?;
        Ok(replies.iter().take(N + 1).map(|reply| deleted_count(Some(reply))).sum())
    }
}

fn deleted_count(reply: Option<&OpReply>) -> u64 {
    if let Some(OpReply::Deleted(count)) = reply { *count } else { 0 }
}
