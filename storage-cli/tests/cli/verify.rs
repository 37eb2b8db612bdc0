//! `kvfs verify` finds every kind of damage on a real store, and `--repair` moves it away without losing a byte.

use etcd_process::EtcdProcess;
use serde_json::{Value, json};

use crate::support::{Kvfs, objects, on_each_etcd};

/// The damaged files with the names of what is wrong with them, in the order of paths.
const DAMAGED: [(&str, &str); 7] = [
    ("a-flipped", "checksum_mismatch"),
    ("b-short", "size_mismatch"),
    ("c-unread", "metadata_unreadable"),
    ("d-later", "metadata_later"),
    ("e-content", "content_alone"),
    ("f-record", "metadata_alone"),
    ("g-both", "file_and_directory"),
];

/// A tree with every kind of damage, keys that are no file's, and files that are whole.
fn damaged_tree(kvfs: &Kvfs, etcd: &EtcdProcess) {
    let raw = |key: &str, value: &str| _ = etcd.etcdctl(&["put", &format!("/caddy/{key}"), value]).unwrap();
    let delete = |key: &str| _ = etcd.etcdctl(&["del", &format!("/caddy/{key}")]).unwrap();
    for (path, _) in DAMAGED {
        kvfs.put(path, b"as it was");
    }
    kvfs.put("well/file", b"as it was");
    raw("data/a-flipped", "As it was");
    raw("data/b-short", "as it");
    raw("meta/c-unread", "nonsense");
    raw("meta/d-later", r#"{"version":2,"all":"new"}"#);
    delete("meta/e-content");
    delete("data/f-record");
    let meta = etcd.etcdctl(&["get", "--print-value-only", "/caddy/meta/well/file"]).unwrap();
    raw("data/g-both/below", "as it was");
    raw("meta/g-both/below", meta.trim_end());
    raw("meta/h//no-path", "x");
    raw("notes", "x");
    raw("others/one", "x");
    raw("others/two", "x");
    raw("session/0123456789abcdef", "nonsense");
}

fn raw_tree(etcd: &EtcdProcess) -> String {
    etcd.etcdctl(&["get", "--prefix", "/caddy/"]).unwrap()
}

/// The problems without what is no damage.
fn damage(told: &[Value]) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let damaged = told.iter().filter(|told| told["damage"] == true);
    damaged.map(|told| (text(&told["path"]), text(&told["problem"]))).collect()
}

fn expected(wanted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let wanted = DAMAGED.iter().filter(|(_, problem)| wanted(problem));
    wanted.map(|(path, problem)| ((*path).to_owned(), (*problem).to_owned())).collect()
}

#[test]
fn a_whole_tree_is_found_whole() {
    on_each_etcd("verify whole", |kvfs, _| {
        assert_eq!(kvfs.ok(&["verify"]), "verified 0 files, 0 bytes: 0 problems, 0 damaged\n");
        kvfs.put("dir/a", b"abc");
        kvfs.put("b", b"");
        assert_eq!(kvfs.ok(&["verify", "--repair"]), "verified 2 files, 3 bytes: 0 problems, 0 damaged\n");
        assert_eq!(kvfs.ok(&["verify", "dir/a"]), "verified 1 file, 3 bytes: 0 problems, 0 damaged\n");
        assert_eq!(kvfs.ok(&["verify", "-q"]), "");
        let done = json!({"files": 2, "bytes": 3, "problems": 0, "damaged": 0, "moved": 0});
        assert_eq!(objects(&kvfs.ok(&["verify", "--json"])), [done]);
    });
}

#[test]
fn every_kind_of_damage_is_found_and_nothing_is_changed() {
    on_each_etcd("verify damage", |kvfs, etcd| {
        damaged_tree(kvfs, etcd);
        let before = raw_tree(etcd);
        let run = kvfs.run(&["verify", "--json"]);
        assert_eq!(run.code, 5, "{run:?}");
        let told = run.objects();
        assert_eq!(damage(&told), expected(|_| true), "n of n");
        let noted: Vec<_> = told.iter().filter(|told| told["damage"] == false).collect();
        let keys: Vec<_> = noted.iter().map(|told| told["key"].as_str().unwrap()).collect();
        assert_eq!(
            keys,
            ["/caddy/meta/h//no-path", "/caddy/session/0123456789abcdef", "/caddy/notes", "/caddy/others/"]
        );
        assert!(noted[3]["message"].as_str().unwrap().contains("2 keys"), "{:?}", noted[3]);
        // The later one and the halves count as files; what is both does, as it is whole, and so does what lies below it.
        let done = json!({"files": 9, "bytes": 27, "problems": 11, "damaged": 7, "moved": 0});
        assert_eq!(told.last(), Some(&done));
        assert_eq!(objects(&run.stderr)[0]["error"]["kind"], "corrupt");
        assert_eq!(raw_tree(etcd), before);

        let run = kvfs.run(&["verify"]).said(&["7 files are damaged", "--repair"]);
        assert_eq!((run.code, run.stderr.lines().count()), (5, 1), "{run:?}");
        let lines: Vec<_> = run.text().lines().collect();
        assert_eq!(lines.len(), 12, "{run:?}");
        assert_eq!(lines[0], r#"damaged "a-flipped": content does not match its checksum"#);
        assert!(lines[10].starts_with(r#"noted key "/caddy/others/": 2 keys"#), "{run:?}");
        let quiet = kvfs.run(&["verify", "-q"]);
        assert_eq!(quiet.text().lines().count(), 11, "without the sum: {quiet:?}");
    });
}

#[test]
fn what_is_damaged_is_moved_and_the_rest_is_left() {
    on_each_etcd("verify repair", |kvfs, etcd| {
        damaged_tree(kvfs, etcd);
        let stays = |problem: &str| matches!(problem, "metadata_later" | "file_and_directory");
        let run = kvfs.run(&["verify", "--repair", "--json"]);
        assert_eq!(run.code, 5, "what was moved is missing: {run:?}");
        let told = run.objects();
        assert_eq!(told.last().unwrap()["moved"], 5);
        for told in told.iter().filter(|told| told["damage"] == true) {
            assert_eq!(told.get("quarantine").is_none(), stays(told["problem"].as_str().unwrap()), "{told}");
        }
        let again = kvfs.run(&["verify", "--json"]);
        assert_eq!(damage(&again.objects()), expected(stays), "the rest is left");
        let moved = objects(&kvfs.ok(&["quarantine", "--json"]));
        assert_eq!(moved.len(), 5);
        for (path, problem) in expected(|problem| !stays(problem)) {
            let moved = moved.iter().find(|moved| moved["path"] == path).unwrap();
            assert_eq!(moved["problem"], problem);
            let id = moved["id"].as_str().unwrap();
            let value = |half: &str| {
                let key = format!("/caddy/quarantine/{id}/{half}/{path}");
                etcd.etcdctl(&["get", "--print-value-only", &key]).unwrap()
            };
            assert_eq!(value("data").is_empty(), problem == "metadata_alone", "{path}");
            assert_eq!(value("meta").is_empty(), problem == "content_alone", "{path}");
        }
        // With the two others out of the way the tree is whole again.
        kvfs.ok(&["mv", "g-both", "g-file"]);
        kvfs.ok(&["rm", "d-later"]);
        let whole = kvfs.run(&["verify"]);
        assert_eq!((whole.code, whole.stderr.as_str()), (0, ""), "{whole:?}");
    });
}

#[test]
fn the_path_says_what_is_verified() {
    on_each_etcd("verify path", |kvfs, etcd| {
        damaged_tree(kvfs, etcd);
        assert_eq!(
            kvfs.run(&["verify", "well"]).succeeded().text(),
            "verified 1 file, 9 bytes: 0 problems, 0 damaged\n"
        );
        let run = kvfs.run(&["verify", "a-flipped"]).said(&["verify \"a-flipped\": 1 file is damaged"]);
        assert_eq!((run.code, run.text().lines().count()), (5, 2));
        kvfs.run(&["verify", "none"]).failed(1, &["verify \"none\": not found", "; verified 0 files"]);
        kvfs.run(&["verify", "../x"]).failed(2, &["verify \"../x\": invalid path"]);
    });
}
