//! Measures what a tree on a SQLite file takes: `cargo run --release -p kv-sqlite --example figures [FOLDER]`.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot be made ends")]

use std::path::PathBuf;
use std::time::Duration;

use kv_sqlite::{Durability, SqliteBackend, SqliteOptions};
use storage_core::{ListOptions, Storage, StorageOptions};
use tokio::task::JoinSet;
use tokio::time::Instant;

type Tree = Storage<SqliteBackend>;

#[tokio::main]
async fn main() {
    let parent = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(parent).unwrap();
    for durability in [Durability::Full, Durability::Normal] {
        let path = folder.path().join(format!("{durability:?}.db"));
        let options = SqliteOptions::default().with_durability(durability);
        let tree = open(SqliteBackend::open(path, options).await.unwrap()).await;
        for tasks in [1, 16] {
            let stored = rate(&tree, tasks, |tree, path| async move {
                tree.store(&path, vec![b'x'; 4_000]).await.unwrap();
            });
            println!("{durability:?}: {:.0} stores a second with {tasks} tasks", stored.await);
        }
    }
    let path = folder.path().join("Full.db");
    let tree = open(SqliteBackend::open(&path, SqliteOptions::default()).await.unwrap()).await;
    for tasks in [1, 16] {
        let loaded = rate(&tree, tasks, |tree, path| async move {
            assert_eq!(tree.load(&path).await.unwrap().len(), 4_000);
        });
        println!("{:.0} loads a second with {tasks} tasks", loaded.await);
    }
    large(folder.path().join("large.db")).await;
}

async fn open(backend: SqliteBackend) -> Tree {
    Storage::open(backend, StorageOptions::new()).await.unwrap()
}

/// How often a second something can be done with a file, by so many tasks.
async fn rate<F: Future<Output = ()> + Send + 'static>(
    tree: &Tree,
    tasks: usize,
    what: impl Fn(Tree, String) -> F + Clone + Send + 'static,
) -> f64 {
    const TIME: Duration = Duration::from_secs(3);
    let began = Instant::now();
    let mut running = JoinSet::new();
    for task in 0..tasks {
        let (tree, what) = (tree.clone(), what.clone());
        running.spawn(async move {
            let mut done = 0_u32;
            while began.elapsed() < TIME {
                what(tree.clone(), format!("files/{task}/{}", done % 10)).await;
                done += 1;
            }
            done
        });
    }
    let done: u32 = running.join_all().await.into_iter().sum();
    f64::from(done) / began.elapsed().as_secs_f64()
}

/// Opens and lists a tree of 100,000 files.
async fn large(path: PathBuf) {
    const FILES: usize = 100_000;
    let options = SqliteOptions::default().with_durability(Durability::Normal);
    let tree = open(SqliteBackend::open(&path, options).await.unwrap()).await;
    let began = Instant::now();
    let files: Vec<_> =
        (0..FILES).map(|file| (format!("sites/{}/{file}.pem", file % 1_000), vec![b'x'; 1_000])).collect();
    for group in files.chunks(40) {
        tree.store_many(group.iter().map(|(path, content)| (path.as_str(), content.clone()))).await.unwrap();
    }
    println!("{FILES} files stored, 40 together, in {:.1?}", began.elapsed());
    tree.close().await.unwrap();
    drop(tree);
    let began = Instant::now();
    let tree = open(SqliteBackend::open(&path, options).await.unwrap()).await;
    println!("opened in {:.1?}", began.elapsed());
    for (what, options) in [
        ("listed", ListOptions::descendants()),
        ("listed with metadata", ListOptions::descendants().with_metadata()),
    ] {
        let began = Instant::now();
        let entries = tree.list("", options).await.unwrap().len();
        println!("{what}: {entries} entries in {:.1?}", began.elapsed());
    }
}
