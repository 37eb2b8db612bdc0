//! Who is inside.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use storage_core::{ErrorKind, LayoutKind, LockOptions, LockState};

use super::support::{done, open_many};
use crate::files::support::{NOTHING, everything, open, refused, store_all};
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["FS-LOCK-1", "FS-LOCK-5"], of_many_clients_and_tasks_one_is_inside_and_tokens_grow),
    case!(["FS-LOCK-1"], a_task_does_not_enter_where_another_of_its_client_is),
    case!(["FS-LOCK-1"], a_guard_is_held_and_says_so),
    case!(["FS-LOCK-2"], locks_of_different_names_are_independent),
    case!(["FS-LOCK-2"], locks_and_files_do_not_meet),
    case!(["FS-LOCK-3"], names_that_are_none_are_refused),
];

async fn of_many_clients_and_tasks_one_is_inside_and_tokens_grow(context: Context) {
    let trees = open_many(&context, 4).await;
    let inside = Arc::new(AtomicU32::new(0));
    let tokens = Arc::new(Mutex::new(Vec::new()));
    let tasks = (0..16).map(|task| {
        let (tree, inside, tokens) = (trees[task % 4].clone(), Arc::clone(&inside), Arc::clone(&tokens));
        tokio::spawn(async move {
            for _ in 0..5 {
                let guard = tree.lock("shared").await.unwrap();
                assert_eq!(inside.fetch_add(1, SeqCst), 0, "somebody else is inside");
                tokens.lock().unwrap().push(guard.token());
                tokio::task::yield_now().await;
                inside.fetch_sub(1, SeqCst);
                guard.unlock().await.unwrap();
            }
        })
    });
    join_all(tasks.map(|task| done("every task has its turns", task))).await;
    let tokens = tokens.lock().unwrap();
    assert_eq!(tokens.len(), 80);
    assert!(tokens.is_sorted_by(|one, next| one < next), "tokens grow: {tokens:?}");
}

async fn a_task_does_not_enter_where_another_of_its_client_is(context: Context) {
    let tree = open(&context).await;
    let guard = tree.lock("a").await.unwrap();
    let soon = LockOptions::new().with_deadline(Duration::from_millis(50));
    refused(tree.clone().lock_with("a", soon).await, ErrorKind::LockTimeout, "a");
    assert!(tree.try_lock("a").await.unwrap().is_none());
    assert!(guard.is_held());
    guard.unlock().await.unwrap();
    assert!(tree.try_lock("a").await.unwrap().is_some());
}

async fn a_guard_is_held_and_says_so(context: Context) {
    let tree = open(&context).await;
    let guard = tree.lock("a").await.unwrap();
    assert_eq!((guard.name(), guard.state(), guard.is_held()), ("a", LockState::Held, true));
    assert!(guard.token().get() > 0);
    assert!(futures::FutureExt::now_or_never(guard.lost()).is_none());
    guard.renew().await.unwrap();
    assert!(guard.is_held());
}

async fn locks_of_different_names_are_independent(context: Context) {
    let tree = open(&context).await;
    let mut guards = Vec::new();
    let names = ["a", "a/b", "a%2Fb", "a%2fb", "A", "ab", " ", "ä", "a-1", "a%"];
    // The Go module cleans names as paths, so its layout has none that would be changed by that.
    let unclean = if context.layout() == LayoutKind::Native { &["a/", "/a", ".."][..] } else { &[] };
    for name in names.iter().chain(unclean) {
        let guard = tree.try_lock(name).await.unwrap();
        guards.push(guard.unwrap_or_else(|| panic!("{name:?} is another lock")));
    }
    for guard in &guards {
        assert!(tree.try_lock(guard.name()).await.unwrap().is_none(), "{:?} is held", guard.name());
    }
}

async fn locks_and_files_do_not_meet(context: Context) {
    let tree = open(&context).await;
    let guard = tree.lock("a/b").await.unwrap();
    let native = if context.layout() == LayoutKind::Native { &["lock/a/b"][..] } else { &[] };
    store_all(&tree, &["a/b", "session/x"]).await;
    store_all(&tree, native).await;
    assert_eq!(tree.delete_all().await.unwrap(), 2 + native.len() as u64);
    assert!(guard.is_held());
    assert!(open(&context).await.try_lock("a/b").await.unwrap().is_none(), "files gone, the lock is held");
    guard.unlock().await.unwrap();
    assert_eq!(everything(&tree).await, NOTHING);
}

async fn names_that_are_none_are_refused(context: Context) {
    let tree = open(&context).await;
    for name in ["", "a\0b", "a\nb", "\u{85}", &"x".repeat(1025)] {
        refused(tree.lock(name).await, ErrorKind::InvalidName, name);
        refused(tree.try_lock(name).await, ErrorKind::InvalidName, name);
        refused(tree.unlock(name).await, ErrorKind::InvalidName, name);
        refused(tree.break_lock(name).await, ErrorKind::InvalidName, name);
    }
    let longest = "/".repeat(1024);
    let guard = tree.lock(&longest).await.unwrap();
    assert_eq!(tree.locks().await.unwrap()[0].name, longest);
    guard.unlock().await.unwrap();
}
