//! How much is said beside what was asked for, and in which colours.

use crate::support::{self, command, dead_url, objects, on_each_etcd, run, url};

#[test]
fn quiet_says_nothing_but_what_was_asked_for_and_what_failed() {
    on_each_etcd("quiet", |kvfs, _| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), "x").unwrap();
        let dir = support::argument(folder.path()).to_owned();
        assert_eq!(kvfs.ok(&["--quiet", "import", &dir]), "");
        assert_eq!(kvfs.ok(&["-q", "ls"]), "a\n");
        assert_eq!(kvfs.ok(&["export", "", &dir, "-q"]), "");
        kvfs.run(&["-q", "get", "none"]).failed(1, &["not found"]);
    });
}

#[test]
fn quiet_gives_no_warnings() {
    let check = |arguments: &[&str]| {
        let mut kvfs = command();
        kvfs.env("CADDY_CLUSTERING_ETCD_SERVERS", "http://h:1").env("CADDY_CLUSTERING_ETCD_TIMEOTU", "1s");
        run(kvfs.args(arguments))
    };
    assert!(check(&["config", "check"]).stderr.contains("TIMEOTU"));
    assert_eq!(check(&["config", "check", "--quiet"]).succeeded().text().lines().count(), 1);
}

#[test]
fn verbose_says_which_store_and_how_long() {
    on_each_etcd("verbose", |kvfs, etcd| {
        let run_with = |arguments: &[&str]| kvfs.run(arguments);
        let told = run_with(&["-v", "ls"]);
        assert_eq!(told.code, 0, "{told:?}");
        let told =
            told.said(&[&format!("kvfs: the store is {}", url(etcd)), ", from --store\n", "kvfs: took "]);
        assert_eq!(told.stderr.lines().count(), 2, "{told:?}");
        let json = objects(&run_with(&["-v", "--json", "ls"]).stderr);
        assert_eq!((&json[0]["info"]["kind"], &json[1]["info"]["kind"]), (&"store".into(), &"time".into()));

        let variable = run(command().env("KVFS_STORE", url(etcd)).args(["-v", "ls"]));
        variable.said(&["from KVFS_STORE"]);
        let variables =
            run(command().env("CADDY_CLUSTERING_ETCD_SERVERS", etcd.endpoint()).args(["-v", "ls"]));
        variables.said(&["from the variables CADDY_CLUSTERING_ETCD_*"]);
    });
}

#[test]
fn verbose_twice_shows_events_and_never_a_password() {
    const SECRET: &str = "hunter2-hunter2";
    let dead = dead_url().replace("etcd://", "http://");
    for flags in ["-vv", "-vvv"] {
        for json in [false, true] {
            let mut kvfs = command();
            kvfs.env("CADDY_CLUSTERING_ETCD_SERVERS", &dead).env("CADDY_CLUSTERING_ETCD_DIAL_TIMEOUT", "1s");
            kvfs.env("CADDY_CLUSTERING_ETCD_USERNAME", "root").env("CADDY_CLUSTERING_ETCD_PASSWORD", SECRET);
            kvfs.args([flags, "ls"]);
            if json {
                kvfs.arg("--json");
            }
            let told = run(&mut kvfs);
            assert_eq!(told.code, 3, "{told:?}");
            assert!(!told.stderr.contains(SECRET) && told.stdout.is_empty(), "{told:?}");
            if json {
                objects(&told.stderr);
            }
        }
    }
    on_each_etcd("events", |kvfs, _| {
        let told = kvfs.run_with_input(&["-vvv", "put", "a"], b"content-of-the-file");
        assert!(told.stderr.contains("storage_core") || told.stderr.contains("kv_etcd"), "{told:?}");
        assert!(!told.stderr.contains("content-of-the-file"), "{told:?}");
        for line in objects(&kvfs.run(&["-vvv", "--json", "locks"]).stderr) {
            assert!(line.is_object());
        }
    });
}

#[test]
fn colours_are_where_they_are_wanted() {
    let colored = |variables: &[(&str, &str)], arguments: &[&str]| {
        let mut kvfs = command();
        for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
            kvfs.env_remove(name);
        }
        kvfs.envs(variables.iter().copied());
        let told = run(kvfs.args(["--store", "memory:"]).args(arguments));
        (told.text().contains('\u{1b}'), told.stderr.contains('\u{1b}'))
    };
    for (variables, option, expected) in [
        (&[][..], "auto", false),
        (&[], "always", true),
        (&[], "never", false),
        (&[("CLICOLOR_FORCE", "1")], "auto", true),
        (&[("CLICOLOR_FORCE", "1")], "never", false),
        (&[("NO_COLOR", "1")], "auto", false),
        (&[("NO_COLOR", "1")], "always", true),
    ] {
        let on_stdout = colored(variables, &["tree", "--color", option]);
        assert_eq!(on_stdout, (expected, false), "{variables:?} {option}");
        let on_stderr = colored(variables, &["get", "none", "--color", option]);
        assert_eq!(on_stderr, (false, expected), "{variables:?} {option}");
        let help = colored(&[], &["--color", option, "--help"]);
        assert_eq!(help.0, option == "always", "{option}");
        assert_eq!(
            colored(variables, &["tree", "--json", "--color", option]),
            (false, false),
            "JSON has none"
        );
    }
}

#[test]
fn contents_are_never_coloured_nor_stripped() {
    on_each_etcd("raw colours", |kvfs, _| {
        let content = b"\x1b[31mred\x1b[0m\xff";
        kvfs.put("a", content);
        for option in ["always", "never"] {
            assert_eq!(kvfs.run(&["cat", "a", "--color", option]).succeeded().stdout, content);
        }
    });
}

#[test]
fn columns_are_separated_by_tabs_where_nobody_looks() {
    let mut kvfs = command();
    let shown = run(kvfs.env("CADDY_CLUSTERING_ETCD_SERVERS", "http://h:1").args(["config", "show"]));
    for line in shown.succeeded().text().lines() {
        assert_eq!(line.split('\t').count(), 3, "{line}");
    }
}
