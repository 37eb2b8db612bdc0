//! The bootstrap file: the Caddyfile that the instances of a cluster share.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use storage_core::kv::KvBackend;
use storage_core::{Error, Storage};

use crate::{CaddyfileLoading, EtcdConfig};

/// Where the file is in the tree.
const PATH: &str = "caddyfile";

/// The Caddyfile that all instances of a cluster use: the one in the tree, at `caddyfile`. The first instance that has
/// a local file stores it there, and of several that try at once exactly one; later ones get the stored one, whatever is
/// in theirs.
///
/// None when there is nothing to share: loading is [disabled](CaddyfileLoading::Disabled), which is answered without
/// asking the store; or the tree has none and neither has this instance, because its
/// [`caddyfile`](EtcdConfig::caddyfile) is not set or not there.
///
/// The local file is read only when the tree has none. An empty file is a file.
///
/// Dropping the future is safe: the file is in the tree whole, or not at all.
///
/// ```no_run
/// use kv_etcd::{EtcdBackend, EtcdConfig, load_caddyfile};
/// use storage_core::Storage;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let config = EtcdConfig::from_env()?;
/// let backend = EtcdBackend::connect(&config).await?;
/// let storage = Storage::open(backend, config.storage_options()).await?;
/// match load_caddyfile(&config, &storage).await? {
///     Some(caddyfile) => println!("{} bytes, the same for everybody", caddyfile.len()),
///     None => println!("nothing to share"),
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`Load`](BootstrapError::Load) when the store fails, or what is in it is damaged; it is not replaced then. The others
/// when the tree has no Caddyfile and the local one cannot become it.
pub async fn load_caddyfile<B: KvBackend>(
    config: &EtcdConfig,
    storage: &Storage<B>,
) -> Result<Option<Bytes>, BootstrapError> {
    if config.caddyfile_loading() == CaddyfileLoading::Disabled {
        return Ok(None);
    }
    match storage.load(PATH).await {
        Ok(content) => return Ok(Some(content)),
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(BootstrapError::Load { source: error }),
    }
    let Some(file) = config.caddyfile() else { return Ok(None) };
    let limit = storage.backend().limits().max_value_bytes;
    let content = match read(file, limit).await {
        Ok(Content::Whole(content)) => content,
        Ok(Content::BeyondLimit) => return Err(BootstrapError::TooLarge { file: file.to_owned(), limit }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(BootstrapError::Read { file: file.to_owned(), source: error }),
    };
    match storage.load_or_store(PATH, content).await {
        Ok(either) => Ok(Some(either.into_file().content)),
        Err(error) => Err(BootstrapError::Store { file: file.to_owned(), source: error }),
    }
}

/// Why there is no Caddyfile, though there should be one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BootstrapError {
    /// The one in the tree cannot be loaded.
    #[error("cannot load the shared caddyfile")]
    Load {
        /// Why.
        source: Error,
    },
    /// The local file is there and cannot be read.
    #[error("cannot read the caddyfile {}", file.display())]
    Read {
        /// The local file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The local file is larger than the store takes; nothing was stored.
    #[error("the caddyfile {} is too large, the store takes at most {limit} bytes", file.display())]
    TooLarge {
        /// The local file.
        file: PathBuf,
        /// The most bytes that a file may have.
        limit: usize,
    },
    /// The local file cannot be stored; or somebody else has just stored one, and that cannot be loaded.
    #[error("cannot store the caddyfile {}", file.display())]
    Store {
        /// The local file.
        file: PathBuf,
        /// Why.
        source: Error,
    },
}

/// What there is in a file.
enum Content {
    Whole(Bytes),
    BeyondLimit,
}

/// Reads a file on a thread that may block; no more of it than is needed to see that it is too large.
async fn read(file: &Path, limit: usize) -> io::Result<Content> {
    let file = file.to_owned();
    let reading = tokio::task::spawn_blocking(move || {
        let most = (limit as u64).saturating_add(1);
        let mut content = Vec::new();
        File::open(file)?.take(most).read_to_end(&mut content)?;
        Ok(if content.len() > limit { Content::BeyondLimit } else { Content::Whole(content.into()) })
    });
    reading.await?
}
