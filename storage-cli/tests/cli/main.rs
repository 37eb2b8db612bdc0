//! The command as its users run it. One program: to link one for each subject takes longer than to run them.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod bad_input;
mod bench;
mod broken_pipe;
mod completions_and_man;
mod config_check;
mod config_secrets;
mod config_show;
mod config_store;
mod damage;
mod du_tree_cat;
mod export_conflicts;
mod get_to_file;
mod health;
mod import_export;
mod import_problems;
#[cfg(unix)]
mod interrupted;
mod json;
#[cfg(unix)]
mod lock_command;
#[cfg(unix)]
mod lock_exclusion;
#[cfg(unix)]
mod lock_killed;
#[cfg(unix)]
mod lock_lost;
#[cfg(unix)]
mod lock_signals;
#[cfg(unix)]
mod lock_wait;
#[cfg(unix)]
mod locks;
mod long_listing;
mod migrate;
mod quarantine;
mod refused_writes;
mod shared_tree;
mod snapshots;
mod sqlite_store;
mod support;
mod telling;
mod transfer_directories;
#[cfg(target_os = "linux")]
mod transfer_many;
#[cfg(unix)]
mod transfer_signals;
mod transfer_tar;
mod transfer_trees;
mod unreachable;
mod verify;
#[cfg(unix)]
mod watch;
