//! `du`, `tree` and `cat` show what is there, also what is damaged.

use serde_json::json;

use crate::support::{Kvfs, objects, on_each_etcd};

fn fill(kvfs: &Kvfs) {
    for (path, size) in
        [("a", 1), ("d/b", 20), ("d/e/c", 300), ("d/e/f/g", 4_000), ("d-x", 50_000), ("z/y", 0)]
    {
        kvfs.put(path, &vec![b'x'; size]);
    }
}

#[test]
fn sizes_are_added_up_for_each_directory() {
    on_each_etcd("du", |kvfs, _| {
        fill(kvfs);
        let all = "4000\td/e/f/\n4300\td/e/\n4320\td/\n0\tz/\n54321\t/\n";
        assert_eq!(kvfs.ok(&["du"]), all);
        assert_eq!(kvfs.ok(&["du", "d", "-d", "1"]), "4300\td/e/\n4320\td/\n");
        assert_eq!(kvfs.ok(&["du", "-s"]), "54321\t/\n");
        assert_eq!(kvfs.ok(&["du", "-s", "--human"]), "53.05 KiB\t/\n");
        assert_eq!(kvfs.ok(&["du", "d-x"]), "50000\td-x\n");
        assert_eq!(
            objects(&kvfs.ok(&["du", "d/e", "--json"])),
            [
                json!({"path": "d/e/f", "kind": "directory", "size": 4_000, "files": 1}),
                json!({"path": "d/e", "kind": "directory", "size": 4_300, "files": 2}),
            ]
        );
        kvfs.run(&["du", "none"]).failed(1, &["du \"none\": not found"]);
    });
}

#[test]
fn damage_is_told_and_the_rest_is_added_up() {
    on_each_etcd("damaged du", |kvfs, etcd| {
        fill(kvfs);
        etcd.etcdctl(&["put", "/caddy/meta/d/b", "nonsense"]).unwrap();
        let run = kvfs.run(&["du", "-s", "d"]).said(&["du \"d/b\": metadata is damaged"]);
        assert_eq!((run.code, run.text()), (5, "4300\td/\n"));
    });
}

#[test]
fn the_tree_is_drawn() {
    on_each_etcd("tree", |kvfs, _| {
        fill(kvfs);
        let drawn = "/\n├── a\n├── d-x\n├── d\n│   ├── b\n│   └── e\n│       ├── c\n│       └── f\n│           └── g\n└── z\n    └── y\n\n4 directories, 6 files\n";
        assert_eq!(kvfs.ok(&["tree"]), drawn);
        assert_eq!(
            kvfs.ok(&["tree", "-L", "1"]),
            "/\n├── a\n├── d-x\n├── d\n└── z\n\n2 directories, 2 files\n"
        );
        assert_eq!(kvfs.ok(&["tree", "d", "-L", "2", "-q"]), "d\n├── b\n└── e\n    ├── c\n    └── f\n");
        let objects = objects(&kvfs.ok(&["tree", "z", "--json"]));
        assert_eq!(objects, [json!({"path": "z/y", "kind": "file"}), json!({"directories": 0, "files": 1})]);
        kvfs.run(&["tree", "none"]).failed(1, &["tree \"none\": not found"]);
        kvfs.run(&["tree", "a"]).failed(4, &["not a directory"]);
    });
}

#[test]
fn an_empty_tree_has_nothing() {
    let memory = Kvfs::on_memory();
    assert_eq!(memory.ok(&["tree"]), "/\n\n0 directories, 0 files\n");
    assert_eq!(memory.ok(&["du"]), "0\t/\n");
}

#[test]
fn contents_come_one_after_the_other_though_some_cannot_be_read() {
    on_each_etcd("cat", |kvfs, etcd| {
        for path in ["a", "b", "c"] {
            kvfs.put(path, format!("{path}\0\n").as_bytes());
        }
        assert_eq!(kvfs.ok(&["cat", "c", "a", "c"]), "c\0\na\0\nc\0\n");
        etcd.etcdctl(&["put", "/caddy/data/b", "flipped"]).unwrap();
        let run = kvfs
            .run(&["cat", "none", "a", "b", "c"])
            .said(&["cat \"none\": not found", "cat \"b\": content"]);
        assert_eq!((run.code, run.text(), run.stderr.lines().count()), (5, "a\0\nc\0\n", 2), "{run:?}");
        let run = kvfs.run(&["cat", "", "a"]).said(&["cat \"\": is a directory"]);
        assert_eq!((run.code, run.text()), (4, "a\0\n"), "{run:?}");
        let json = kvfs.run(&["--json", "cat", "a", "none"]);
        assert_eq!((json.code, &json.objects()[0]["content_base64"]), (1, &json!("YQAK")));
        kvfs.run(&["cat", "../x"]).failed(2, &["cat \"../x\": invalid path"]);
        // More than one transaction can read.
        let many: Vec<&str> = std::iter::once("cat").chain(std::iter::repeat_n("a", 100)).collect();
        assert_eq!(kvfs.ok(&many), "a\0\n".repeat(100));
    });
}
