//! Trees of files as ACME clients have them, and contents.

use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;
use kv_etcd::EtcdBackend;
use storage_core::Storage;
use tokio::task::JoinSet;

use crate::contender::Contender;

/// Compares of a transaction on etcd: a file needs one, and each directory above it another.
const COMPARES: u64 = 128;
/// Files in a transaction while a tree is filled.
const LARGEST_GROUP: u64 = 30;
/// Transactions at the same time while a tree is filled.
const WRITERS: u64 = 8;
/// Stores at the same time for those that have no groups.
const CLIENTS: u64 = 64;

/// A tree of so many files below a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tree {
    pub(crate) shape: Shape,
    pub(crate) files: u64,
}

/// How a tree branches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A directory for each site, with a certificate, a key and a description.
    Wide,
    /// Eight directories below each other, each with up to ten.
    Deep,
    /// Ten directories, the files are shared out to them.
    Ten,
}

impl Tree {
    /// Its directory.
    pub(crate) fn directory(self) -> String {
        let shape = match self.shape {
            Shape::Wide => "wide",
            Shape::Deep => "deep",
            Shape::Ten => "ten",
        };
        format!("{shape}-{}", self.files)
    }

    /// The path of one of its files.
    pub(crate) fn path(self, number: u64) -> String {
        let directory = self.directory();
        match self.shape {
            Shape::Wide => format!("{directory}/{}", certificate_path(number)),
            Shape::Deep => {
                // The last digits first, so that the files are shared out evenly.
                let digits = format!("{:08}", number % 100_000_000);
                let below: String = digits.chars().rev().flat_map(|digit| ['d', digit, '/']).collect();
                format!("{directory}/{below}account.json")
            }
            Shape::Ten => format!("{directory}/ca-{}/{:08}.ocsp", number % 10, number / 10),
        }
    }

    /// Fills a tree of kvfs, in groups.
    pub(crate) async fn fill(self, storage: &Storage<EtcdBackend>, content: &Bytes) -> Result<()> {
        let directories = self.path(0).split('/').count() - 1;
        let group = (COMPARES / (u64::try_from(directories).unwrap_or(u64::MAX - 1) + 1)).min(LARGEST_GROUP);
        let writers = (0..WRITERS).map(|writer| {
            let (storage, content) = (storage.clone(), content.clone());
            async move {
                let groups = self.files.div_ceil(group);
                for first in
                    (0..groups).filter(|number| number % WRITERS == writer).map(|number| number * group)
                {
                    let numbers = first..(first + group).min(self.files);
                    let files = numbers.map(|number| (self.path(number), content.clone()));
                    storage.store_many(files.collect::<Vec<_>>()).await?;
                }
                Ok(())
            }
        });
        all(writers).await
    }

    /// Fills the tree of any contender, a file at a time.
    pub(crate) async fn fill_singly(self, contender: &Arc<dyn Contender>, content: &Bytes) -> Result<()> {
        let clients = (0..CLIENTS).map(|client| {
            let (contender, content) = (contender.clone(), content.clone());
            async move {
                for number in (0..self.files).filter(|number| number % CLIENTS == client) {
                    contender.store(&self.path(number), &content).await?;
                }
                Ok(())
            }
        });
        all(clients).await
    }
}

/// The path of a file as certmagic lays them out: three for each site.
pub(crate) fn certificate_path(number: u64) -> String {
    let kind = ["crt", "json", "key"][usize::try_from(number % 3).expect("less than 3")];
    let site = format!("site-{:07}.example.com", number / 3);
    format!("acme-v02.api.letsencrypt.org-directory/{site}/{site}.{kind}")
}

/// So many bytes that do not compress and are not all alike.
pub(crate) fn content(bytes: usize) -> Bytes {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(next).take(bytes).collect::<Vec<_>>().into()
}

async fn all(tasks: impl Iterator<Item = impl Future<Output = Result<()>> + Send + 'static>) -> Result<()> {
    let mut running: JoinSet<_> = tasks.collect();
    while let Some(done) = running.join_next().await {
        done??;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_files_of_a_tree_have_the_same_path() {
        for shape in [Shape::Wide, Shape::Deep, Shape::Ten] {
            let tree = Tree { shape, files: 3_000 };
            let paths: BTreeSet<_> = (0..tree.files).map(|number| tree.path(number)).collect();
            assert_eq!(paths.len(), 3_000, "{shape:?}");
            assert!(paths.iter().all(|path| path.starts_with(&format!("{}/", tree.directory()))));
        }
    }
}
