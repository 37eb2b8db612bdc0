//! What cannot work ends with one line that says what to do, and with the exit code for it.

use crate::support::{Kvfs, argument, command, objects, run};

#[test]
fn wrong_paths_are_refused() {
    let memory = Kvfs::on_memory();
    let long = "x".repeat(256);
    let deep = ["x"; 65].join("/");
    for (arguments, code, said) in [
        (&["put", "../x"][..], 2, &[r#"put "../x": invalid path"#, "\"..\"", "a path is like"][..]),
        (&["put", ""], 2, &[r#"put "": invalid path"#, "the root is not a file"]),
        (&["put", "/"], 2, &["the root is not a file"]),
        (&["put", "a//b"], 2, &["empty component"]),
        (&["put", "a\nb"], 2, &["control character", r#""a\nb""#]),
        (&["put", "a\u{1b}[31mb"], 2, &["control character"]),
        (&["put", "a\\b"], 2, &["backslash"]),
        (&["put", &long], 2, &["256 bytes"]),
        (&["put", &deep], 2, &["65 components"]),
        (&["get", "./x"], 2, &[r#"get "./x": invalid path"#]),
        (&["get", ""], 4, &[r#"get "": is a directory"#, "kvfs ls"]),
        (&["get", "none"], 1, &[r#"get "none": not found"#, "kvfs ls -r"]),
        (&["ls", ".."], 2, &[r#"ls "..": invalid path"#]),
        (&["ls", "none"], 1, &[r#"ls "none": not found"#]),
        (&["stat", "a/../b"], 2, &["invalid path"]),
        (&["stat", "none"], 1, &[r#"stat "none": not found"#]),
        (&["exists", "a/../b"], 2, &["invalid path"]),
        (&["rm", "none"], 1, &[r#"rm "none": not found"#]),
        (&["rm", "-r", "none"], 1, &[r#"rm "none": not found"#]),
        (&["rm", "-r", ""], 2, &["the root is not a file"]),
        (&["rm", "-r", "/"], 2, &["the root is not a file"]),
        (&["mv", "none", "b"], 1, &[r#"mv "none": not found"#]),
        (&["mv", "a", "../b"], 2, &[r#"mv "../b": invalid path"#]),
        (&["mv", "", "b"], 2, &["the root is not a file"]),
        (&["export", "none", "out"], 1, &[r#"export "none": not found"#]),
        (&["export", "../x", "out"], 2, &["invalid path"]),
        (&["import", ".", "../x"], 2, &[r#"import "../x": invalid path"#]),
        (&["watch", "../x"], 2, &[r#"watch "../x": invalid path"#]),
    ] {
        memory.run(arguments).failed(code, said);
        let json = memory.run(&[arguments, &["--json"]].concat());
        assert_eq!(json.code, code, "{json:?}");
        let told = objects(&json.stderr);
        assert_eq!(told.len(), 1, "{json:?}");
        assert!(told[0]["error"]["kind"].is_string() && told[0]["error"]["message"].is_string(), "{json:?}");
    }
}

#[test]
fn wrong_names_of_locks_are_refused_before_the_store_is_asked() {
    let nowhere = Kvfs::on("etcd://127.0.0.1:1");
    let long = "x".repeat(1025);
    for (name, said) in [("", "empty"), ("a\nb", "control character"), (&long, "1025 bytes")] {
        for verb in
            [&["lock", name, "--", "true"][..], &["try-lock", name, "--", "true"], &["locks", "break", name]]
        {
            let told = nowhere.run(verb).failed(2, &["invalid name of a lock: ", said]);
            assert!(!told.stderr.contains("a path is like"), "{told:?}");
        }
    }
}

#[test]
fn the_json_error_names_the_kind() {
    let memory = Kvfs::on_memory();
    for (arguments, kind) in [
        (&["get", "none"][..], "not_found"),
        (&["get", ""], "is_a_directory"),
        (&["put", "../x"], "invalid_path"),
        (&["frob"], "usage"),
    ] {
        let told = objects(&memory.run(&[&["--json"], arguments].concat()).stderr);
        assert_eq!(told[0]["error"]["kind"], kind, "{arguments:?}");
    }
}

#[test]
fn wrong_usage_is_told_on_one_line() {
    let memory = Kvfs::on_memory();
    for (arguments, said) in [
        (&[][..], "requires a subcommand"),
        (&["frob"], "'frob'"),
        (&["put"], "<PATH>"),
        (&["ls", "--frob"], "'--frob'"),
        (&["get", "a", "b"], "'b'"),
        (&["lock", "a"], "<COMMAND>"),
        (&["lock", "a", "--wait=-1s", "--", "true"], "not negative"),
        (&["lock", "a", "--wait", "soon", "--", "true"], "like 30s"),
        (&["lock", "a", "--wait", "0s", "--", "true"], "kvfs try-lock"),
        (&["lock", "a", "--ttl", "500ms", "--", "true"], "at least 1s"),
        (&["try-lock", "a", "--wait", "1s", "--", "true"], "'--wait'"),
        (&["locks", "frob"], "'frob'"),
        (&["watch", "--after", "now"], "'now'"),
    ] {
        memory.run(arguments).failed(2, &[said, "see `kvfs --help`"]);
    }
}

#[test]
fn a_store_that_is_named_must_be_one() {
    run(command().args(["ls"])).failed(3, &["cannot make", "for the default store"]);
    run(command().args(["ls"]).env("KVFS_STORE", "")).failed(3, &["for the default store"]);
    run(command().args(["ls"]).env("KVFS_STORE", "nonsense")).failed(2, &["nonsense", "etcd://host:port"]);
    run(command().args(["ls"]).env("KVFS_STORE", "memory:")).succeeded();
    for (store, said) in [
        ("127.0.0.1:2379", "no scheme"),
        ("http://127.0.0.1:2379", "unknown scheme \"http\", known are etcd, etcds, sqlite and memory"),
        ("etcd://", "host is missing"),
        ("etcd://a:0", "no port"),
    ] {
        Kvfs::on(store).run(&["ls"]).failed(2, &[said, "a store is etcd://host:port"]);
    }
}

#[test]
fn a_password_in_a_store_url_is_never_shown() {
    let secret = "etcd://root:hunter2@127.0.0.1:1";
    for arguments in [&["ls"][..], &["ls", "--help"], &["--help"], &["frob"]] {
        let run = run(command().args(arguments).env("KVFS_STORE", secret));
        assert!(!run.text().contains("hunter2") && !run.stderr.contains("hunter2"), "{run:?}");
    }
    Kvfs::on(secret).run(&["ls"]).failed(2, &["password"]);
}

#[test]
fn a_local_file_that_cannot_be_stored_is_told_of() {
    let memory = Kvfs::on_memory();
    let folder = tempfile::tempdir().unwrap();
    memory
        .run(&["put", "a", argument(folder.path())])
        .failed(2, &["is a directory", "nothing was stored", "kvfs import"]);
    let missing = folder.path().join("missing");
    memory.run(&["put", "a", argument(&missing)]).failed(2, &["does not exist", "nothing was stored"]);
    memory.run(&["import", argument(&missing)]).failed(2, &["missing", "name a local directory"]);
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    memory.run(&["import", argument(&file)]).failed(2, &["not a directory", "kvfs put"]);
}

#[test]
fn input_beyond_the_limit_is_refused_with_the_limit() {
    let memory = Kvfs::on_memory();
    let said = &["put \"a\"", "too large", "at most 1572864 bytes"][..];
    memory.run_with_input(&["put", "a"], &vec![0; 1_572_865]).failed(2, said);
    // Fits the limit for values, and not with its key and metadata.
    memory
        .run_with_input(&["put", "a"], &vec![0; 1_572_864])
        .failed(2, &["put \"a\"", "too large", "1572864"]);
}

#[cfg(target_os = "linux")]
#[test]
fn endless_input_is_not_read_to_its_end() {
    Kvfs::on_memory().run(&["put", "a", "/dev/zero"]).failed(2, &["/dev/zero", "at most 1572864 bytes"]);
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_cannot_be_written_is_an_error() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let run = Kvfs::on_memory().std_command(&["stat", ""]).stdout(full).output().unwrap();
    assert_eq!(run.status.code(), Some(3));
    assert!(String::from_utf8(run.stderr).unwrap().starts_with("kvfs: cannot write to standard output: "));
}

#[test]
fn help_and_version_go_to_standard_output() {
    let help = run(command().arg("--help")).succeeded();
    for said in ["Exit codes:", "KVFS_STORE", "import", "damaged data"] {
        assert!(help.text().contains(said), "{help:?} should say {said:?}");
    }
    let version = run(command().arg("--version")).succeeded();
    assert_eq!(version.text(), format!("kvfs {}\n", env!("CARGO_PKG_VERSION")));
}
