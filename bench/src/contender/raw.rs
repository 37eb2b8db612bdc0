//! The floor: etcd-client without anything around it, moving the bytes that kvfs moves in the fewest calls.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, ensure};
use async_trait::async_trait;
use bytes::Bytes;
use etcd_client::{
    Client, Compare, CompareOp, DeleteOptions, GetOptions, KvClient, PutOptions, Txn, TxnOp, TxnOpResponse,
};
use tokio::sync::OnceCell;
use tokio::task::AbortHandle;

use super::{Contender, Depth, Directories, Groups, Held, Kind, Locks};

/// How long the lease of the locks runs; what kvfs has by default is longer.
const LEASE_SECONDS: i64 = 60;
/// Between renewals of that lease.
const RENEWAL: Duration = Duration::from_secs(15);
/// Larger than any answer: the client's own limit is 4 MiB, a list of a million names is 100 MB.
const LARGEST_ANSWER: usize = 1 << 30;
/// As large as the record of a place in the queue of a lock.
const LOCK_RECORD: [u8; 120] = [b'x'; 120];
/// As large as the record of a deletion.
const DELETION_RECORD: [u8; 56] = [b'x'; 56];

/// A client for keys and values that takes answers of any size.
async fn large_client(endpoints: &[String]) -> Result<(Client, KvClient)> {
    let client = Client::connect(endpoints, None).await?;
    let kv = client.kv_client().max_decoding_message_size(LARGEST_ANSWER);
    Ok((client, kv))
}

/// Calls of etcd as they are.
pub(crate) struct Raw {
    client: Client,
    kv: KvClient,
    prefix: String,
    lease: OnceCell<KeptLease>,
}

/// A lease for locks, which a task renews.
struct KeptLease {
    id: i64,
    renewal: AbortHandle,
}

impl Raw {
    /// Connects. What lies below the prefix has the keys of kvfs, so that both can read the same.
    pub(crate) async fn connect(endpoints: &[String], prefix: &str) -> Result<Self> {
        let (client, kv) = large_client(endpoints).await?;
        Ok(Self { client, kv, prefix: prefix.to_owned(), lease: OnceCell::new() })
    }

    /// The client itself.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// The client for keys and values, which takes answers of any size.
    pub(crate) fn kv(&self) -> KvClient {
        self.kv.clone()
    }

    /// The key of a file's record of metadata.
    pub(crate) fn meta(&self, path: &str) -> String {
        format!("{}/meta/{path}", self.prefix)
    }

    fn data(&self, path: &str) -> String {
        format!("{}/data/{path}", self.prefix)
    }

    /// As many bytes as the metadata record of a file has.
    fn record(size: usize) -> String {
        let (sha1, write) = ("0".repeat(40), "0".repeat(32));
        format!(
            r#"{{"version":1,"size":{size},"modified":"2026-01-01T00:00:00.000000000Z","sha1":"{sha1}","write":"{write}"}}"#
        )
    }

    fn puts(&self, path: &str, content: &Bytes) -> [TxnOp; 2] {
        [
            TxnOp::put(self.data(path), content.as_ref(), None),
            TxnOp::put(self.meta(path), Self::record(content.len()), None),
        ]
    }

    fn gets(&self, path: &str) -> [TxnOp; 2] {
        [TxnOp::get(self.data(path), None), TxnOp::get(self.meta(path), None)]
    }

    async fn txn(&self, ops: Vec<TxnOp>) -> Result<Vec<TxnOpResponse>> {
        Ok(self.kv.clone().txn(Txn::new().and_then(ops)).await?.op_responses())
    }
}

impl KeptLease {
    async fn grant(mut client: Client) -> Result<Self> {
        let id = client.lease_grant(LEASE_SECONDS, None).await?.id();
        let (mut keeper, mut answers) = client.lease_keep_alive(id).await?;
        let renewal = tokio::spawn(async move {
            while keeper.keep_alive().await.is_ok() && answers.message().await.is_ok() {
                tokio::time::sleep(RENEWAL).await;
            }
        });
        Ok(Self { id, renewal: renewal.abort_handle() })
    }
}

impl Drop for KeptLease {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

#[async_trait]
impl Contender for Raw {
    fn name(&self) -> &'static str {
        "raw"
    }

    async fn store(&self, path: &str, content: &Bytes) -> Result<()> {
        self.txn(self.puts(path, content).into()).await?;
        Ok(())
    }

    async fn load(&self, path: &str) -> Result<usize> {
        let answers = self.txn(self.gets(path).into()).await?;
        let Some(TxnOpResponse::Get(data)) = answers.first() else { anyhow::bail!("not what was asked for") };
        ensure!(data.kvs().len() == 1, "no file {path}");
        Ok(data.kvs()[0].value().len())
    }

    async fn stat(&self, path: &str) -> Result<()> {
        let answer = self.kv.clone().get(self.meta(path), None).await?;
        ensure!(answer.kvs().len() == 1, "no file {path}");
        Ok(())
    }

    async fn exists(&self, path: &str, _: Kind) -> Result<bool> {
        let below = GetOptions::new().with_prefix().with_limit(1).with_keys_only();
        let answers = self
            .txn(vec![
                TxnOp::get(self.meta(path), Some(GetOptions::new().with_keys_only())),
                TxnOp::get(format!("{}/", self.meta(path)), Some(below)),
            ])
            .await?;
        Ok(answers
            .iter()
            .any(|answer| matches!(answer, TxnOpResponse::Get(found) if !found.kvs().is_empty())))
    }

    async fn delete(&self, path: &str) -> Result<()> {
        self.txn(vec![
            TxnOp::delete(self.data(path), None),
            TxnOp::delete(self.meta(path), None),
            TxnOp::put(format!("{}/deleted", self.prefix), DELETION_RECORD, None),
        ])
        .await?;
        Ok(())
    }

    async fn list(&self, directory: &str, depth: Depth) -> Result<usize> {
        let below = format!("{}/", self.meta(directory));
        let options = GetOptions::new().with_prefix().with_keys_only();
        let answer = self.kv.clone().get(below.clone(), Some(options)).await?;
        let names = answer.kvs().iter().map(|entry| &entry.key()[below.len()..]);
        Ok(match depth {
            Depth::Descendants => names.map(<[u8]>::to_vec).collect::<Vec<_>>().len(),
            Depth::Children => names
                .filter_map(|name| name.split(|byte| *byte == b'/').next())
                .map(<[u8]>::to_vec)
                .collect::<BTreeSet<_>>()
                .len(),
        })
    }

    fn directories(&self) -> Option<&dyn Directories> {
        Some(self)
    }

    fn groups(&self) -> Option<&dyn Groups> {
        Some(self)
    }

    fn locks(&self) -> Option<&dyn Locks> {
        Some(self)
    }
}

#[async_trait]
impl Directories for Raw {
    async fn stat(&self, directory: &str) -> Result<()> {
        let below = format!("{}/", self.meta(directory));
        let answer = self.kv.clone().get(below, Some(GetOptions::new().with_prefix())).await?;
        ensure!(!answer.kvs().is_empty(), "no directory {directory}");
        Ok(())
    }

    async fn delete(&self, directory: &str) -> Result<()> {
        let range = || Some(DeleteOptions::new().with_prefix());
        self.txn(vec![
            TxnOp::delete(format!("{}/", self.data(directory)), range()),
            TxnOp::delete(format!("{}/", self.meta(directory)), range()),
            TxnOp::put(format!("{}/deleted", self.prefix), DELETION_RECORD, None),
        ])
        .await?;
        Ok(())
    }
}

#[async_trait]
impl Groups for Raw {
    async fn store(&self, files: &[(String, Bytes)]) -> Result<()> {
        self.txn(files.iter().flat_map(|(path, content)| self.puts(path, content)).collect()).await?;
        Ok(())
    }

    async fn load(&self, paths: &[String]) -> Result<usize> {
        let answers = self.txn(paths.iter().flat_map(|path| self.gets(path)).collect()).await?;
        let data = answers.iter().step_by(2).filter_map(|answer| match answer {
            TxnOpResponse::Get(found) => found.kvs().first().map(|entry| entry.value().len()),
            _ => None,
        });
        Ok(data.sum())
    }
}

#[async_trait]
impl Locks for Raw {
    /// Compare and put on the lease that is kept; there is no queue.
    async fn lock(&self, name: &str) -> Result<Box<dyn Held>> {
        let lease = self.lease.get_or_try_init(|| KeptLease::grant(self.client())).await?;
        let key = format!("{}/lock/{name}", self.prefix);
        let txn = Txn::new()
            .when([Compare::create_revision(key.clone(), CompareOp::Equal, 0)])
            .and_then([TxnOp::put(key.clone(), LOCK_RECORD, Some(PutOptions::new().with_lease(lease.id)))]);
        let answer = self.kv.clone().txn(txn).await?;
        ensure!(answer.succeeded(), "{name} is locked");
        Ok(Box::new(HeldKey { kv: self.kv.clone(), key }))
    }

    async fn until_queued(&self, _: &str, _: usize) -> Result<()> {
        anyhow::bail!("there is no queue")
    }
}

struct HeldKey {
    kv: KvClient,
    key: String,
}

#[async_trait]
impl Held for HeldKey {
    async fn unlock(mut self: Box<Self>) -> Result<()> {
        self.kv.delete(self.key, None).await?;
        Ok(())
    }
}
