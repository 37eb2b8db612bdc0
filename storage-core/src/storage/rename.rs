use tokio::time::timeout_at;

use super::Storage;
use super::check::Check;
use super::store::NewFile;
use super::write::{Write, Written};
use crate::error::{Error, ErrorKind, Result};
use crate::kv::{KvBackend, Op};
use crate::metadata::Metadata;
use crate::observe::operation;

impl<B: KvBackend> Storage<B> {
    /// Moves a file to another path, atomically, never overwriting; its content and its `modified` time stay. Two round
    /// trips: the content is read, verified and written. If somebody else changes the file meanwhile it begins again.
    ///
    /// # Errors
    ///
    /// `NotFound` and `IsADirectory` for `from`, and those of [`load`](Self::load); `AlreadyExists`, `IsADirectory` and
    /// `NotADirectory` for `to`, and those of [`store`](Self::store). A directory is never moved.
    pub async fn rename(&self, from: &str, to: &str) -> Result<Metadata> {
        operation("rename", from, self.rename_under(Vec::new(), from, to)).await
    }

    /// Moves a file if what is given holds as well.
    pub(crate) async fn rename_under(&self, fence: Vec<Check>, from: &str, to: &str) -> Result<Metadata> {
        let (source, target) = (self.keyspace().file_path(from)?, self.keyspace().file_path(to)?);
        let deadline = self.deadline();
        loop {
            let late = |_| Error::new(ErrorKind::Timeout).with_detail("nothing was sent");
            let file = timeout_at(deadline, self.load_parsed(from)).await.map_err(late)??;
            if source == target {
                return Err(Error::new(ErrorKind::AlreadyExists).with_path(to));
            }
            let unchanged = Check::Version(source.clone(), file.metadata.version);
            let new = NewFile::moved(self.surroundings(), &file, target.clone());
            let (puts, trace) = new.puts(self.keyspace());
            let mut ops = puts.to_vec();
            ops.push(Op::Delete(self.keyspace().data(&source)));
            ops.push(Op::Delete(self.keyspace().meta(&source)));
            ops.push(self.keyspace().record_deletion(new.write_id()));
            let checks = fence.iter().cloned().chain([unchanged, Check::Absent(target.clone())]);
            let checks = checks.chain(Check::file_may_be_at(&target)).collect();
            match self.write_by(deadline, Write { checks, ops, trace, ..Write::default() }).await? {
                Written::Done(revision, _) => return Ok(new.stored_at(revision).metadata),
                Written::Refused(error, _) if error.kind() == ErrorKind::Conflict => {}
                Written::Refused(error, _) => return Err(error),
            }
        }
    }
}
