//! What the Go module caddy-etcd has stored is taken over, on a real etcd.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use etcd_process::EtcdProcess;
use kv_etcd::{EtcdBackend, EtcdConfig};
use serde_json::Value;
use storage_core::kv::{Key, KvBackendExt};

use crate::support::{self, Kvfs, command, on_each_etcd, run, url};

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
    let lines = include_str!("../../src/commands/migrate/golden.jsonl").lines();
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

#[cfg(unix)]
#[test]
fn a_signal_ends_it_and_it_is_gone_on_with() {
    use support::started::{Started, interrupt, until};

    /// So many that no machine is done with them before the signal comes.
    const FILES: usize = 3_000;

    on_each_etcd("migrate interrupted", |kvfs, etcd| {
        load_golden(etcd);
        let folder = tempfile::tempdir().unwrap();
        for number in 0..FILES {
            std::fs::write(folder.path().join(number.to_string()), format!("{number}")).unwrap();
        }
        kvfs.ok(&["import", support::argument(folder.path()), "generated"]);
        let (source, destination) = (url(etcd), format!("{}/new", url(etcd)));
        let new = Kvfs::on(&*destination);
        let mut before = 0;
        for (signal, code) in [interrupt(), ("TERM", 143)] {
            let arguments = ["migrate", "--from", "caddy-etcd", &source, &destination];
            let run = Started::new(&mut kvfs.std_command(&arguments));
            until("some files should be copied", || (files(&destination).len() > before).then_some(()));
            run.signal(signal);
            let run = run.wait();
            let now = files(&destination).len();
            assert!(before < now && now < FILES + 16, "{now}");
            let copied = format!("{} files are copied and 0 removed, running it again goes on", now - before);
            run.failed(code, &["migrate: interrupted; ", &copied]);
            before = now;
        }
        let last = migrate(&source, &destination, &[]).succeeded().objects().pop().unwrap();
        let count = |field: &str| usize::try_from(last[field].as_u64().unwrap()).unwrap();
        assert_eq!((count("copied"), count("unchanged")), (FILES + 16 - before, before));
        assert_eq!(last["identical"], true);
        assert_eq!(files(&source), files(&destination));
        assert_eq!(new.ok(&["verify", "-q"]), "");
    });
}

#[test]
fn quiet_it_says_nothing_and_verbose_how_long_it_took() {
    on_each_etcd("migrate told", |kvfs, etcd| {
        load_golden(etcd);
        let (source, quiet, verbose) =
            (url(etcd), format!("{}/quiet", url(etcd)), format!("{}/verbose", url(etcd)));
        assert_eq!(kvfs.ok(&["-q", "migrate", "--from", "caddy-etcd", &source, &quiet]), "");
        assert_eq!(files(&quiet).len(), 16);
        let told = kvfs.run(&["-v", "migrate", "--from", "caddy-etcd", &source, &verbose]);
        assert!(told.code == 0 && told.text().starts_with("copied 16 files, "), "{told:?}");
        told.said(&["kvfs: took "]);
        // What is wrong is said all the same.
        put_raw(etcd, &[(b"/caddy/md/binary/all-bytes".to_vec(), b"no base64!".to_vec())]);
        let damaged = kvfs.run(&["-q", "migrate", "--from", "caddy-etcd", &source, &quiet]);
        assert_eq!((damaged.code, damaged.text()), (5, ""), "{damaged:?}");
        damaged.said(&["binary/all-bytes", "1 damaged in the source"]);
    });
}

#[test]
fn a_location_names_the_layout_and_a_directory() {
    on_each_etcd("a layout in a location", |kvfs, etcd| {
        load_golden(etcd);
        let location = |path: &str| format!("{}?layout=caddy-etcd#{path}", url(etcd));
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let out = support::argument(&out);
        kvfs.ok(&["cp", &location("leading"), out]);
        let slash = std::fs::read(folder.path().join("out/slash")).unwrap();
        assert_eq!(kvfs.run(&["get", "leading/slash"]).succeeded().stdout, slash);
        assert_eq!(kvfs.ok(&["diff", &location("leading"), out]), "");
        kvfs.ok(&["cp", out, &location("copied")]);
        assert_eq!(kvfs.run(&["get", "copied/slash"]).succeeded().stdout, slash);
        assert_eq!(kvfs.ok(&["diff", &location("leading"), &location("copied")]), "");
        // In the other layout there is no tree, and none is made.
        kvfs.run(&["cp", out, &location("copied").replace("caddy-etcd", "native")])
            .failed(2, &["layout caddy-etcd"]);
    });
}
