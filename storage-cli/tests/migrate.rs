//! What the Go module caddy-etcd has stored is taken over, on a real etcd.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod support;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use etcd_process::EtcdProcess;
use kv_etcd::{EtcdBackend, EtcdConfig};
use serde_json::Value;
use storage_core::kv::{Key, KvBackendExt};
use support::{Kvfs, command, on_each_etcd, run, url};

/// The number of files beside those of the Go module; `KVFS_MIGRATE_FILES` for more.
fn generated() -> usize {
    std::env::var("KVFS_MIGRATE_FILES").ok().map_or(600, |count| count.parse().unwrap())
}

/// Puts keys and values as they are.
fn put_raw(etcd: &EtcdProcess, entries: &[(Vec<u8>, Vec<u8>)]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let config = EtcdConfig::builder([etcd.endpoint()]).with_prefix("/").build().unwrap();
        let backend = EtcdBackend::connect(&config).await.unwrap();
        for (key, value) in entries {
            backend.put(Key::new(key.clone()), value.clone().into()).await.unwrap();
        }
    });
}

fn load_golden(etcd: &EtcdProcess) {
    let lines = include_str!("../src/commands/migrate/golden.jsonl").lines();
    let entry = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let [key, value] =
            ["key", "value"].map(|field| BASE64_STANDARD.decode(line[field].as_str().unwrap()).unwrap());
        (key, value)
    };
    put_raw(etcd, &lines.map(entry).collect::<Vec<_>>());
}

fn migrate(source: &str, destination: &str, more: &[&str]) -> support::Run {
    run(command().args(["--json", "migrate", "--from", "caddy-etcd", source, destination]).args(more))
}

/// The files of a tree with everything that is known of them, but for the version.
fn files(store: &str) -> Vec<Value> {
    let mut listed = support::objects(&Kvfs::on(store).ok(&["--json", "ls", "-r", "-l"]));
    listed.retain(|entry| entry["kind"] == "file");
    for entry in &mut listed {
        entry.as_object_mut().unwrap().remove("version");
    }
    listed
}

#[test]
fn a_tree_of_the_go_module_is_taken_over_in_each_layout() {
    on_each_etcd("migrate", |kvfs, etcd| {
        load_golden(etcd);
        let source = url(etcd);
        // The layout is found out, so the command works on it as it is.
        let folder = tempfile::tempdir().unwrap();
        for number in 0..generated() {
            std::fs::write(folder.path().join(number.to_string()), format!("{number}")).unwrap();
        }
        kvfs.ok(&["import", support::argument(folder.path()), "generated"]);
        let count = 16 + generated();
        for destination in [format!("{source}/new"), format!("{source}/other?layout=caddy-etcd")] {
            // The prefix of the source is /caddy.
            let first = migrate(&source, &destination, &[]);
            let summary = first.objects().pop().unwrap();
            assert_eq!((first.code, summary["copied"].as_u64()), (0, Some(count as u64)), "{}", first.stderr);
            assert_eq!(summary["identical"], true);
            assert_eq!(files(&source), files(&destination));
            let again = migrate(&source, &destination, &[]).succeeded().objects().pop().unwrap();
            assert_eq!(
                (again["copied"].as_u64(), again["unchanged"].as_u64()),
                (Some(0), Some(count as u64))
            );
        }
        let token = kvfs
            .ok(&["get", "acme/acme-v02.api.letsencrypt.org-directory/challenge_tokens/example.com.json"]);
        let new = Kvfs::on(format!("{source}/new"));
        assert_eq!(
            new.ok(&["get", "acme/acme-v02.api.letsencrypt.org-directory/challenge_tokens/example.com.json"]),
            token
        );

        put_raw(etcd, &[(b"/caddy/md/binary/all-bytes".to_vec(), b"no base64!".to_vec())]);
        let damaged = migrate(&source, &format!("{source}/third"), &[]);
        assert_eq!(damaged.code, 5, "{damaged:?}");
        assert_eq!(damaged.objects().pop().unwrap()["copied"].as_u64(), Some(count as u64 - 1));
        assert!(damaged.stderr.contains("binary/all-bytes"), "{damaged:?}");
    });
}

#[test]
fn a_destination_in_the_source_and_layouts_that_are_not_there_are_refused() {
    on_each_etcd("migrate refused", |kvfs, etcd| {
        load_golden(etcd);
        let source = url(etcd);
        for destination in [source.clone(), format!("{source}/caddy/new"), format!("{source}//")] {
            run(command().args(["migrate", "--from", "caddy-etcd", &source, &destination]))
                .failed(2, &["a prefix of its own"]);
        }
        let new = format!("{source}/new");
        run(command().args(["migrate", "--from", "native", &source, &new])).failed(2, &["layout caddy-etcd"]);
        run(command().args(["migrate", "--from", "go", &source, &new])).failed(2, &["caddy-etcd or native"]);
        Kvfs::on(format!("{source}?layout=native")).run(&["ls"]).failed(2, &["layout caddy-etcd"]);
        kvfs.run(&["put", "lock/x"]).failed(2, &["invalid path", "caddy-etcd"]);
        assert_eq!(kvfs.ok(&["ls", "leading"]), "leading/slash\n");
    });
}
