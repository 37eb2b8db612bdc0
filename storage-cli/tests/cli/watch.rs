//! Every change is printed at once, in order, and a watch goes on where another one ended.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::json;

use crate::support::started::{Started, until};
use crate::support::{Kvfs, objects, on_each_etcd};

/// Stores a file: its version.
fn put(kvfs: &Kvfs, path: &str) -> String {
    kvfs.run_with_input(&["--json", "put", path], b"x").succeeded().objects()[0]["version"].to_string()
}

/// What a watch has printed, once that are so many lines.
fn lines(watch: &Started, many: usize) -> Vec<String> {
    let whole = |text: String| Some(text).filter(|text| text.matches('\n').count() >= many);
    let text = until("it should be printed", || whole(watch.printed()));
    text.lines().map(str::to_owned).collect()
}

#[test]
fn the_changes_of_other_processes_are_printed_in_order() {
    on_each_etcd("watch", |kvfs, _| {
        let before = put(kvfs, "before");
        let everything = kvfs.start(&["watch", "--after", &before]);
        let below = kvfs.start(&["watch", "d", "--after", &before]);
        let created = put(kvfs, "a");
        let modified = put(kvfs, "a");
        let inside = put(kvfs, "d/with space");
        let moved = objects(&kvfs.ok(&["--json", "mv", "a", "d/b"]))[0]["version"].to_string();
        kvfs.ok(&["rm", "-r", "d"]);
        let last = put(kvfs, "d/last");

        let printed = lines(&everything, 8);
        let removed = printed[5].rsplit_once(' ').unwrap().1;
        let expected = [
            format!("created a {created}"),
            format!("modified a {modified}"),
            format!("created d/with space {inside}"),
            format!("deleted a {moved}"),
            format!("created d/b {moved}"),
            format!("deleted d/b {removed}"),
            format!("deleted d/with space {removed}"),
            format!("created d/last {last}"),
        ];
        assert_eq!(printed, expected);
        let expected: Vec<_> = expected.iter().filter(|line| line.contains(" d/")).cloned().collect();
        assert_eq!(lines(&below, expected.len()), expected);
    });
}

#[test]
fn a_watch_goes_on_where_another_ended() {
    on_each_etcd("watch --after", |kvfs, _| {
        let start = put(kvfs, "a");
        let first = kvfs.start(&["--json", "watch", "--after", &start]);
        let versions = [put(kvfs, "b"), put(kvfs, "c")];
        let seen = objects(&lines(&first, 2).join("\n"));
        for (event, (path, version)) in seen.iter().zip(["b", "c"].into_iter().zip(&versions)) {
            let version: u64 = version.parse().unwrap();
            assert_eq!(event, &json!({"event": "created", "path": path, "version": version}));
        }
        first.signal("TERM");
        let ended = first.wait();
        assert_eq!((ended.code, ended.stderr.as_str()), (143, ""));

        put(kvfs, "d");
        kvfs.ok(&["rm", "b"]);
        let second = kvfs.start(&["watch", "--after", &seen[1]["version"].to_string()]);
        put(kvfs, "c");
        let words: Vec<_> = lines(&second, 3);
        let words: Vec<_> = words.iter().map(|line| line.rsplit_once(' ').unwrap().0).collect();
        assert_eq!(words, ["created d", "deleted b", "modified c"]);
    });
}

#[test]
fn without_a_revision_it_begins_now() {
    on_each_etcd("watch from now", |kvfs, _| {
        put(kvfs, "before");
        let watch = kvfs.start(&["watch"]);
        // It says nothing of when it has begun.
        let line = until("it should begin", || {
            put(kvfs, "after");
            watch.printed().lines().next().map(str::to_owned)
        });
        assert!(line.contains(" after "), "{line}");
        assert!(!watch.printed().contains("before"), "{}", watch.printed());
    });
}

#[test]
fn changes_that_the_store_has_given_up_are_told_of() {
    on_each_etcd("watch resync", |kvfs, etcd| {
        put(kvfs, "a");
        let newest = put(kvfs, "a");
        etcd.etcdctl(&["compact", &newest]).unwrap();
        let text = kvfs.start(&["watch", "--after", "1"]);
        let json = kvfs.start(&["--json", "watch", "--after", "1"]);
        assert!(
            lines(&text, 1)[0].starts_with(&format!("resync {newest}: changes up to here may be missing"))
        );
        let revision: u64 = newest.parse().unwrap();
        assert_eq!(objects(&lines(&json, 1)[0]), [json!({"event": "resync", "revision": revision})]);
        let version = put(kvfs, "b");
        assert_eq!(lines(&text, 2)[1], format!("created b {version}"));
    });
}

/// Not only when there is something more to print: it may never come.
#[cfg(target_os = "linux")]
#[test]
fn it_ends_quietly_when_nobody_reads_it_any_more() {
    on_each_etcd("watch broken pipe", |kvfs, _| {
        let start = put(kvfs, "a");
        let mut command = kvfs.std_command(&["watch", "--after", &start]);
        let mut watch = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let version = put(kvfs, "b");
        let mut line = String::new();
        BufReader::new(watch.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, format!("created b {version}\n"));
        let ended = until("it should end", || watch.try_wait().unwrap());
        let told = std::io::read_to_string(watch.stderr.take().unwrap()).unwrap();
        assert_eq!((ended.code(), told.as_str()), (Some(0), ""));
    });
}
