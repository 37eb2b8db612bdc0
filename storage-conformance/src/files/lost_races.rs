//! Writes whose answer is lost while others write.

use std::time::Duration;

use storage_core::{Error, Storage};

use super::lost_answers::{TIMEOUT, fences, writes_files};
use super::support::{NOTHING, everything, open, store_all};
use crate::decorate::{Call, Fault};
use crate::locks::lost_answers::now_and_then;
use crate::locks::support::{done, open_faulty};
use crate::tree::{FaultyTree, Tree};
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["FS-LOST-3"], what_others_stored_since_stays),
    case!(["FS-LOST-3"], what_others_deleted_since_stays_deleted),
    case!(["FS-LOST-4"], a_directory_is_deleted_once),
    case!(["FS-LOST-4"], what_others_have_deleted_is_not_counted),
    case!(["FS-LOST-2", "FS-LOST-3"], counters_count_every_change_once),
    case!(["FS-LOST-3"], a_write_on_its_way_while_another_is_fenced_off_is_sent_again),
    case!(["FS-LOST-3"], writers_of_one_tree_are_not_disturbed),
];

/// A late call that never comes.
const NEVER: Fault = Fault::Late(Duration::from_secs(3600));

/// Runs a write whose first attempt has this fault, and in between, when its answer was lost and nothing else was done,
/// what others do.
async fn meanwhile<T>(
    tree: &FaultyTree,
    fault: Fault,
    write: impl Future<Output = Result<T, Error>>,
    others: impl Future<Output = ()>,
) -> T {
    let is_lost = std::sync::Arc::new(tokio::sync::Notify::new());
    let (tell, spoilt) = (is_lost.clone(), std::sync::atomic::AtomicBool::new(false));
    tree.backend().inject(move |call: &Call<'_>| {
        if fences(call) {
            tell.notify_one();
            return Some(Fault::Hang);
        }
        let is_first = writes_files(call) && !spoilt.swap(true, std::sync::atomic::Ordering::SeqCst);
        is_first.then_some(fault)
    });
    let others = async {
        is_lost.notified().await;
        others.await;
        tree.backend().heal();
    };
    tokio::join!(write, others).0.unwrap()
}

/// Two clients of a tree that has its format.
async fn trees(context: &Context) -> (FaultyTree, Tree) {
    let other = open(context).await;
    store_all(&other, &["first"]).await;
    other.delete("first").await.unwrap();
    (open_faulty(context, TIMEOUT).await, other)
}

async fn what_others_stored_since_stays(context: Context) {
    let (tree, other) = trees(&context).await;
    store_all(&other, &["a"]).await;
    let write = || tree.store("a", "ours");
    let theirs = || async {
        other.store("a", "theirs").await.unwrap();
    };
    let ours = meanwhile(&tree, Fault::LoseAnswer, write(), theirs()).await;
    let found = other.load_file("a").await.unwrap();
    assert_eq!(found.content, "theirs");
    assert!(ours.version < found.metadata.version, "{ours:?} before {:?}", found.metadata);
    // If it was not applied it comes after theirs.
    let ours = meanwhile(&tree, NEVER, write(), theirs()).await;
    let found = other.load_file("a").await.unwrap();
    assert_eq!((&found.content[..], found.metadata.version), (&b"ours"[..], ours.version));
}

async fn what_others_deleted_since_stays_deleted(context: Context) {
    let (tree, other) = trees(&context).await;
    let write = || tree.store("a", "ours");
    store_all(&other, &["b", "dir/1"]).await;
    // Deletions of other files lie between, too.
    let delete = || async {
        for path in ["b", "a", "dir"] {
            assert_eq!(other.delete(path).await.unwrap(), 1, "{path}");
        }
    };
    meanwhile(&tree, Fault::LoseAnswer, write(), delete()).await;
    assert_eq!(everything(&other).await, NOTHING);

    let rename = || async {
        other.rename("a", "b").await.unwrap();
    };
    meanwhile(&tree, Fault::LoseAnswer, write(), rename()).await;
    assert_eq!(everything(&other).await, ["b"]);
    assert_eq!(other.load("b").await.unwrap(), "ours");

    store_all(&other, &["a"]).await;
    let delete = || async {
        other.delete_file("a").await.unwrap();
    };
    meanwhile(&tree, NEVER, write(), delete()).await;
    assert_eq!(everything(&other).await, ["a", "b"]);
}

async fn a_directory_is_deleted_once(context: Context) {
    let (tree, other) = trees(&context).await;
    let delete = || tree.delete("dir");
    let store = || store_all(&other, &["dir/new"]);
    store_all(&other, &["dir/1", "dir/2", "dir/3"]).await;
    assert_eq!(meanwhile(&tree, Fault::LoseAnswer, delete(), store()).await, 3);
    assert_eq!(everything(&other).await, ["dir", "dir/new"]);
    // If it was not applied it comes after what was stored.
    store_all(&other, &["dir/1"]).await;
    let store = || store_all(&other, &["dir/2", "dir/3"]);
    assert_eq!(meanwhile(&tree, NEVER, delete(), store()).await, 4);
    assert_eq!(everything(&other).await, NOTHING);
}

async fn what_others_have_deleted_is_not_counted(context: Context) {
    let (tree, other) = trees(&context).await;
    let delete = || tree.delete("dir");
    let both = || async {
        assert_eq!(other.delete("dir").await.unwrap(), 2);
        store_all(&other, &["dir/new"]).await;
    };
    store_all(&other, &["dir/1", "dir/2"]).await;
    assert_eq!(meanwhile(&tree, NEVER, delete(), both()).await, 1);
    let neither = || async { assert_eq!(other.delete("dir").await.unwrap(), 0) };
    store_all(&other, &["dir/1", "dir/2"]).await;
    assert_eq!(meanwhile(&tree, Fault::LoseAnswer, delete(), neither()).await, 2);
    assert_eq!(everything(&other).await, NOTHING);
}

/// One more, whoever else counts. A conflict that is none, or an increment that is done twice, shows in the sum.
async fn increment(tree: &FaultyTree) -> Result<(), Error> {
    loop {
        let file = tree.load_file("counter").await?;
        let number: u32 = std::str::from_utf8(&file.content).unwrap().parse().unwrap();
        match tree.store_if("counter", (number + 1).to_string(), file.metadata.version).await {
            Ok(_) => return Ok(()),
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error),
        }
    }
}

async fn counters_count_every_change_once(context: Context) {
    const TASKS: u32 = 6;
    const TIMES: u32 = 10;
    let other = open(&context).await;
    other.store("counter", "0").await.unwrap();
    let mut tasks = Vec::new();
    for seed in 1..=TASKS {
        let tree = open_faulty(&context, TIMEOUT).await;
        tree.backend().inject(now_and_then(seed));
        tasks.push(tokio::spawn(async move {
            let mut counted = 0;
            while counted < TIMES {
                match increment(&tree).await {
                    Ok(()) => counted += 1,
                    // It says that nothing was changed.
                    Err(error) if error.is_connection() && !error.is_outcome_unknown() => {}
                    Err(error) => panic!("{error:?}"),
                }
            }
        }));
    }
    for task in tasks {
        done("every task has counted", task).await;
    }
    assert_eq!(other.load("counter").await.unwrap(), (TASKS * TIMES).to_string());
}

async fn a_write_on_its_way_while_another_is_fenced_off_is_sent_again(context: Context) {
    let (tree, _) = trees(&context).await;
    let number = std::sync::atomic::AtomicU32::new(0);
    tree.backend().inject(move |call| {
        if !writes_files(call) {
            return None;
        }
        match number.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => Some(Fault::Slow(Duration::from_millis(500))),
            1 => Some(Fault::LoseAnswer),
            _ => None,
        }
    });
    let (slow, lost) = tokio::join!(tree.store("slow", "x"), tree.store("lost", "x"));
    let (slow, lost) = (slow.unwrap(), lost.unwrap());
    assert!(slow.version > lost.version, "{slow:?} after {lost:?}");
}

async fn writers_of_one_tree_are_not_disturbed(context: Context) {
    let (tree, other) = trees(&context).await;
    tree.backend().inject(now_and_then(7));
    let write = |tree: FaultyTree, task: u32| async move {
        for round in 0..10 {
            loop {
                match tree.store(&format!("{task}"), format!("{round}")).await {
                    Ok(_) => break,
                    Err(error) => assert!(error.is_connection() && !error.is_outcome_unknown(), "{error:?}"),
                }
            }
        }
    };
    let spoilt: Vec<_> = (0..8).map(|task| tokio::spawn(write(tree.clone(), task))).collect();
    let undisturbed = async |tree: &Storage<_>| {
        for round in 0..30 {
            tree.store("undisturbed", format!("{round}")).await.unwrap();
        }
    };
    undisturbed(&other).await;
    for task in spoilt {
        done("every task has written", task).await;
    }
    for task in 0..8 {
        assert_eq!(other.load(&format!("{task}")).await.unwrap(), "9");
    }
    assert_eq!(other.load("undisturbed").await.unwrap(), "29");
}
