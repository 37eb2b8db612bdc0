//! What an operator sees of locks, and can do about them.

use serde_json::json;

use crate::support::started::{Started, until};
use crate::support::{Kvfs, objects, on_each_etcd};

fn start(kvfs: &Kvfs, name: &str, options: &[&str], there: usize) -> Started {
    let run = kvfs.start(&[&["lock", name], options, &["--", "sleep", "600"]].concat());
    until("it should hold the lock or wait", || (kvfs.locks().len() == there).then_some(()));
    run
}

#[test]
fn they_are_listed() {
    on_each_etcd("locks", |kvfs, _| {
        assert_eq!(kvfs.ok(&["locks"]), "");
        assert_eq!(kvfs.ok(&["--json", "locks", "list"]), "");
        let holder = start(kvfs, "b", &["--label", "x\u{1b}[31m\u{9b}y", "--ttl", "1h"], 1);
        let waiter = start(kvfs, "b", &[], 2);
        let other = start(kvfs, "a/ä", &["--label", "why not"], 3);

        let text = kvfs.ok(&["locks"]);
        assert_eq!(text, kvfs.ok(&["locks", "list"]).replace("REMAINING ", "REMAINING"));
        assert!(!text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t')), "{text:?}");
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert!(lines[0].starts_with("NAME\tWHO\tHOST\t"), "{text}");
        for (line, begin, pid, label) in [
            (lines[1], "a/ä\tholder\t", other.pid(), "why not"),
            (lines[2], "b\tholder\t", holder.pid(), r"x\u{1b}[31m\u{9b}y"),
            (lines[3], "b\twaiter 1\t", waiter.pid(), "-"),
        ] {
            assert!(line.starts_with(begin) && line.contains(&format!("\t{pid}\t")), "{line}");
            assert!(line.contains(&format!("\t{label}\t")), "{line}");
        }
        assert!(lines[2].ends_with('s') && lines[2].contains("59m"), "{}", lines[2]);

        let json = kvfs.ok(&["--json", "locks"]);
        assert!(!json.contains(|c: char| c.is_control() && c != '\n'), "{json:?}");
        let locks = objects(&json);
        let [a, b, waiting] = &locks[..] else { panic!("{locks:?}") };
        assert_eq!((&a["name"], &a["holder"], &a["label"]), (&json!("a/ä"), &json!(true), &json!("why not")));
        assert_eq!((&b["position"], &b["label"]), (&json!(0), &json!("x\u{1b}[31m\u{9b}y")));
        assert_eq!((&waiting["position"], &waiting["holder"]), (&json!(1), &json!(false)));
        assert!(waiting.get("label").is_none(), "{waiting}");
        assert!(b["token"].as_u64() < waiting["token"].as_u64());
        assert_ne!(b["session"], waiting["session"]);
        assert_eq!(b["pid"].to_string(), holder.pid());
        assert!(b["host"].is_string() && b["since"].as_str().unwrap().ends_with('Z'), "{b}");
        let remaining = b["remaining_seconds"].as_u64().unwrap();
        assert!((3_400..=3_600).contains(&remaining), "{remaining}");
    });
}

#[test]
fn a_record_that_cannot_be_read_is_listed_all_the_same() {
    on_each_etcd("locks, foreign", |kvfs, etcd| {
        etcd.etcdctl(&["put", "/caddy/lock/a/0f-0", "not JSON"]).unwrap();
        let text = kvfs.ok(&["locks"]);
        let cells: Vec<_> = text.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(cells, ["a", "holder", "-", "-", "-", "-", "-"]);
        let token = kvfs.locks()[0]["token"].clone();
        let lock = json!({"name": "a", "position": 0, "holder": true, "token": token, "session": "0f"});
        assert_eq!(kvfs.locks(), [lock]);
        assert_eq!(kvfs.ok(&["locks", "break", "a"]), "broke \"a\", held by session 0f\n");
        assert_eq!(kvfs.ok(&["locks"]), "");
    });
}

#[test]
fn one_that_is_broken_goes_to_the_next() {
    on_each_etcd("locks break", |kvfs, _| {
        let holder = start(kvfs, "a", &["--label", "stuck"], 1);
        let waiter = start(kvfs, "a", &[], 2);
        let whose = objects(&kvfs.ok(&["--json", "locks", "break", "a"]));
        assert_eq!(whose.len(), 1);
        assert_eq!((&whose[0]["label"], whose[0]["pid"].to_string()), (&json!("stuck"), holder.pid()));
        holder.wait().failed(4, &["lock lost"]);
        let locks = kvfs.locks();
        assert_eq!((locks.len(), locks[0]["pid"].to_string()), (1, waiter.pid()));
        assert_eq!(locks[0]["holder"], true);
    });
}

#[test]
fn breaking_what_nobody_holds_is_an_error() {
    on_each_etcd("locks break nothing", |kvfs, _| {
        kvfs.run(&["locks", "break", "a"]).failed(1, &["locks break \"a\": nobody holds it", "kvfs locks"]);
        let json = kvfs.run(&["--json", "locks", "break", "a"]);
        assert_eq!(objects(&json.stderr)[0]["error"]["kind"], "not_found");
    });
}
