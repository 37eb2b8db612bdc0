//! The instances of a cluster share one Caddyfile: the first one's.

use std::error::Error as StdError;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use etcd_process::EtcdProcess;
use kv_etcd::{BootstrapError, CaddyfileLoading, EtcdBackend, EtcdConfig, EtcdConfigBuilder, load_caddyfile};
use storage_core::kv::{Key, KvBackendExt};
use storage_core::{ErrorKind, Storage};

use crate::support;

async fn open(config: &EtcdConfig) -> Storage<EtcdBackend> {
    let backend = EtcdBackend::connect(config).await.unwrap();
    Storage::open(backend, config.storage_options()).await.unwrap()
}

/// A configuration with this local file.
fn with_file(etcd: &EtcdProcess, file: impl AsRef<Path>) -> EtcdConfig {
    support::config(etcd).with_caddyfile(file.as_ref()).build().unwrap()
}

async fn load(config: &EtcdConfig) -> Result<Option<Bytes>, BootstrapError> {
    load_caddyfile(config, &open(config).await).await
}

/// The error in full, which names the local file and stands on one line.
#[track_caller]
fn told(error: &BootstrapError, file: &Path) -> String {
    let text = error.to_string();
    assert!(text.contains(file.to_str().unwrap()) && !text.contains('\n'), "{text}");
    assert!(text.starts_with(char::is_lowercase), "{text}");
    match error.source() {
        Some(source) => {
            assert!(!text.contains(&source.to_string()), "{text} should not repeat {source}");
            format!("{text}: {source}")
        }
        None => text,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_start_at_once_one_wins_and_all_get_its_file() {
    const INSTANCES: usize = 16;
    support::on_each_etcd("bootstrap race", |etcd| async move {
        let folder = tempfile::tempdir().unwrap();
        let start = Arc::new(tokio::sync::Barrier::new(INSTANCES));
        let instances: Vec<_> = (0..INSTANCES)
            .map(|n| {
                let file = folder.path().join(format!("Caddyfile-{n}"));
                std::fs::write(&file, format!("respond {n}").repeat(1000)).unwrap();
                let (config, start) = (with_file(&etcd, file), Arc::clone(&start));
                tokio::spawn(async move {
                    let storage = open(&config).await;
                    start.wait().await;
                    load_caddyfile(&config, &storage).await.unwrap().unwrap()
                })
            })
            .collect();
        let mut got = Vec::new();
        for instance in instances {
            got.push(instance.await.unwrap());
        }
        let stored = open(&support::config(&etcd).build().unwrap()).await.load("caddyfile").await.unwrap();
        assert!(got.iter().all(|content| *content == stored), "all should get what is stored");
        let is_one_of_theirs = |n: usize| stored == format!("respond {n}").repeat(1000);
        assert!((0..INSTANCES).any(is_one_of_theirs), "{stored:?}");
    })
    .await;
}

#[tokio::test]
async fn what_is_stored_counts_whatever_the_local_file_is() {
    support::on_each_etcd("bootstrap stored", |etcd| async move {
        let folder = tempfile::tempdir().unwrap();
        let (file, other) = (folder.path().join("first"), folder.path().join("other"));
        std::fs::write(&file, "first").unwrap();
        std::fs::write(&other, "other").unwrap();
        assert_eq!(load(&with_file(&etcd, &file)).await.unwrap().unwrap(), "first");
        for config in [
            with_file(&etcd, &file),
            with_file(&etcd, &other),
            with_file(&etcd, folder.path().join("missing")),
            // It cannot be read, and is not.
            with_file(&etcd, folder.path()),
            support::config(&etcd).build().unwrap(),
        ] {
            assert_eq!(load(&config).await.unwrap().unwrap(), "first", "{:?}", config.caddyfile());
        }
    })
    .await;
}

#[tokio::test]
async fn with_no_file_anywhere_there_is_nothing_to_share() {
    support::on_each_etcd("bootstrap nothing", |etcd| async move {
        let folder = tempfile::tempdir().unwrap();
        for config in [
            with_file(&etcd, folder.path().join("missing")),
            with_file(&etcd, folder.path().join("missing/too")),
            support::config(&etcd).build().unwrap(),
        ] {
            assert_eq!(load(&config).await.unwrap(), None, "{:?}", config.caddyfile());
            assert!(!open(&config).await.exists("caddyfile").await.unwrap());
        }
        // An empty one is one.
        let empty = folder.path().join("empty");
        std::fs::write(&empty, "").unwrap();
        assert_eq!(load(&with_file(&etcd, &empty)).await.unwrap(), Some(Bytes::new()));
        assert_eq!(load(&support::config(&etcd).build().unwrap()).await.unwrap(), Some(Bytes::new()));
    })
    .await;
}

#[tokio::test]
async fn where_loading_is_disabled_the_store_is_not_asked() {
    support::on_each_etcd("bootstrap disabled", |etcd| async move {
        let disabled = |config: EtcdConfigBuilder| {
            config.with_caddyfile_loading(CaddyfileLoading::Disabled).build().unwrap()
        };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("Caddyfile");
        std::fs::write(&file, "x").unwrap();
        let config = disabled(support::config(&etcd).with_caddyfile(&file));
        let storage = open(&config).await;
        assert_eq!(load_caddyfile(&config, &storage).await.unwrap(), None);
        assert!(!storage.exists("caddyfile").await.unwrap(), "nothing was stored");
        storage.store("caddyfile", "y").await.unwrap();
        etcd.pause().unwrap();
        let asked = tokio::time::timeout(Duration::from_secs(5), load_caddyfile(&config, &storage)).await;
        etcd.resume().unwrap();
        assert_eq!(asked.expect("the store would not have answered").unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_local_file_that_cannot_be_stored_is_named_and_nothing_is_stored() {
    support::on_each_etcd("bootstrap local", |etcd| async move {
        let folder = tempfile::tempdir().unwrap();
        let error = load(&with_file(&etcd, folder.path())).await.unwrap_err();
        assert!(matches!(error, BootstrapError::Read { .. }), "{error:?}");
        assert!(told(&error, folder.path()).contains("irectory"), "{error:?}");

        let file = folder.path().join("Caddyfile");
        let config =
            support::config(&etcd).with_caddyfile(&file).with_max_request_bytes(2048).build().unwrap();
        // Beyond the limit of a value, and within that but not with its key and metadata.
        for size in [100_000, 2049, 2048] {
            std::fs::write(&file, vec![b'x'; size]).unwrap();
            let error = load(&config).await.unwrap_err();
            assert!(told(&error, &file).contains("2048"), "{size}: {error:?}");
            match &error {
                BootstrapError::TooLarge { .. } => assert!(size > 2048, "{size}"),
                BootstrapError::Store { source, .. } => {
                    assert_eq!((size, source.kind()), (2048, ErrorKind::TooLarge));
                }
                _ => panic!("{size}: {error:?}"),
            }
        }
        assert!(!open(&config).await.exists("caddyfile").await.unwrap());
    })
    .await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_endless_file_is_not_read_to_its_end() {
    support::on_each_etcd("bootstrap endless", |etcd| async move {
        let zero = Path::new("/dev/zero");
        let error = load(&with_file(&etcd, zero)).await.unwrap_err();
        assert!(told(&error, zero).contains("too large"), "{error:?}");
    })
    .await;
}

#[tokio::test]
async fn a_damaged_file_in_the_store_is_an_error_and_is_not_replaced() {
    support::on_each_etcd("bootstrap damaged", |etcd| async move {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("Caddyfile");
        std::fs::write(&file, "mine").unwrap();
        let config = with_file(&etcd, &file);
        let storage = open(&config).await;
        storage.store("caddyfile", "shared").await.unwrap();
        let key = Key::new("/test/data/caddyfile");
        storage.backend().put(key.clone(), "shAred".into()).await.unwrap();
        for _ in 0..2 {
            let error = load_caddyfile(&config, &storage).await.unwrap_err();
            let BootstrapError::Load { source } = &error else { panic!("{error:?}") };
            assert!(source.is_checksum_mismatch(), "{error:?}");
            assert_eq!(error.source().unwrap().to_string(), source.to_string());
        }
        assert_eq!(storage.backend().get(key).await.unwrap().unwrap().value, "shAred");
    })
    .await;
}
