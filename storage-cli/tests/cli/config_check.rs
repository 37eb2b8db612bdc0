//! `kvfs config check` tells everything that is wrong, and warns of what is suspicious.

use serde_json::json;

use crate::support::{Run, argument, command, objects, run};

fn check(text: &str, arguments: &[&str]) -> Run {
    run(command().args(["config", "check", "--config", "-"]).args(arguments).write_stdin(text))
}

fn check_environment(variables: &[(&str, &str)]) -> Run {
    let variables = variables.iter().map(|(name, value)| (format!("CADDY_CLUSTERING_ETCD_{name}"), value));
    run(command().args(["config", "check"]).envs(variables))
}

/// It is right, and this was warned of, a line each.
#[track_caller]
fn is_ok(run: &Run, warnings: &[&str]) {
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.text().starts_with("ok: ") && run.text().lines().count() == 1, "{run:?}");
    says(run, "kvfs: warning: ", warnings);
}

/// It is wrong, and this was told, a line each.
#[track_caller]
fn is_wrong(run: &Run, problems: &[&str]) {
    assert_eq!((run.code, run.text()), (2, ""), "{run:?}");
    says(run, "kvfs: ", problems);
}

#[track_caller]
fn says(run: &Run, begin: &str, said: &[&str]) {
    let lines: Vec<_> = run.stderr.lines().collect();
    assert_eq!(lines.len(), said.len(), "{run:?}");
    for (line, said) in lines.iter().zip(said) {
        assert!(line.starts_with(begin) && line.contains(said), "{line} should say {said}");
    }
}

#[test]
fn what_is_right_is_confirmed_on_one_line() {
    let text = r#"{"endpoints": ["https://a:1", "https://b:2"], "key_prefix": "x"}"#;
    let checked = check(text, &[]);
    is_ok(&checked, &[]);
    assert_eq!(checked.text(), "ok: standard input, for etcds://a:1,b:2/x\n");
    let checked = check(text, &["--json"]).succeeded().objects();
    assert_eq!(checked, [json!({"ok": true, "config": "standard input", "store": "etcds://a:1,b:2/x"})]);
    is_ok(&check_environment(&[]), &[]);
    is_ok(&check("storage etcd {\n}", &[]), &[]);
}

#[test]
fn all_problems_are_told_at_once_with_their_places() {
    is_wrong(
        &check(r#"{"endpoints": "a:1", "lock_timeout": "0s", "tls": {"cert": "/c"}, "frob": 1}"#, &[]),
        &[
            "standard input: JSON: unknown field \"frob\"",
            "standard input: endpoints: \"a:1\" has no scheme",
            "standard input: lock_timeout: 0s is less than 1s",
            "standard input: tls.cert: it needs tls.key as well",
        ],
    );
    is_wrong(
        &check("storage etcd {\n\tendpoints a:1\n\tlock_timeout 0s\n\tfrob\n}", &[]),
        &[
            "standard input:4: unknown option \"frob\"",
            "standard input:2: endpoints: \"a:1\" has no scheme",
            "standard input:3: lock_timeout: 0s is less than 1s",
        ],
    );
    let variables = [("SERVERS", "a:1"), ("TIMEOUT", "0s"), ("CADDYFILE_LOADER", "off")];
    is_wrong(
        &check_environment(&variables),
        &[
            "CADDY_CLUSTERING_ETCD_CADDYFILE_LOADER: \"off\" is neither",
            "CADDY_CLUSTERING_ETCD_SERVERS: \"a:1\" has no scheme",
            "CADDY_CLUSTERING_ETCD_TIMEOUT: 0s is less than 1s",
        ],
    );
    let json = check(r#"{"endpoints": "a:1", "lock_timeout": "0s"}"#, &["--json"]);
    assert_eq!((json.code, json.text()), (2, ""));
    let told = objects(&json.stderr);
    assert_eq!(told.len(), 2, "{told:?}");
    for (told, said) in told.iter().zip(["endpoints", "lock_timeout"]) {
        assert_eq!(told["error"]["kind"], "invalid_config");
        assert!(told["error"]["message"].as_str().unwrap().contains(said), "{told}");
    }
    // Whoever asks what the settings are gets the same answer.
    let text = r#"{"endpoints": "a:1", "lock_timeout": "0s"}"#;
    let shown = run(command().args(["config", "show", "--config", "-"]).write_stdin(text));
    is_wrong(&shown, &["endpoints", "lock_timeout"]);
}

#[test]
fn what_is_no_configuration_is_told_of() {
    for (text, said) in [
        ("", "standard input:1: no storage etcd block"),
        ("{\n\tdebug\n}", "standard input:1: no storage etcd block"),
        ("{\"endpoints\"", "standard input: JSON: EOF"),
        ("storage file_system /x", "\"file_system\", not etcd"),
    ] {
        is_wrong(&check(text, &[]), &[said]);
    }
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let at = |path: &str| run(command().args(["config", "check", "--config", path]));
    at(argument(&missing)).failed(2, &["missing", "does not exist"]);
    at(argument(folder.path())).failed(3, &["cannot read", "irectory"]);
    let binary = run(command().args(["config", "check", "--config", "-"]).write_stdin(&b"hunter2\xff"[..]));
    assert!(!binary.failed(3, &["not valid UTF-8"]).stderr.contains("hunter2"));
}

#[test]
fn variables_that_are_no_setting_are_told_of() {
    is_ok(
        &check_environment(&[("SERVER", "http://a:1"), ("PASSWROD", "hunter2"), ("FROBNICATE", "1")]),
        &[
            "CADDY_CLUSTERING_ETCD_FROBNICATE is set, but is no setting",
            "CADDY_CLUSTERING_ETCD_PASSWROD is set, but is no setting; did you mean CADDY_CLUSTERING_ETCD_PASSWORD?",
            "CADDY_CLUSTERING_ETCD_SERVER is set, but is no setting; did you mean CADDY_CLUSTERING_ETCD_SERVERS?",
        ],
    );
    // They may be why something is wrong.
    is_wrong(
        &check_environment(&[("PASSWROD", "hunter2"), ("USERNAME", "root")]),
        &["did you mean CADDY_CLUSTERING_ETCD_PASSWORD?", "CADDY_CLUSTERING_ETCD_USERNAME: it needs"],
    );
    // They say nothing of a file.
    let file = run(command()
        .args(["config", "check", "--config", "-"])
        .env("CADDY_CLUSTERING_ETCD_SERVER", "x")
        .write_stdin("{}"));
    is_ok(&file, &[]);
}

#[test]
fn what_is_allowed_and_seldom_meant_is_warned_of() {
    let user = r#""auth": {"username": "root", "password": "hunter2"}"#;
    for (settings, warnings) in [
        (r#""endpoints": "https://a:1""#.to_owned(), &[][..]),
        (
            r#""endpoints": "http://a:1", "tls": {"server_name": "a"}"#.to_owned(),
            &["tls is set, but no endpoint"],
        ),
        (r#""endpoints": "http://a:1,https://b:1", "tls": {"server_name": "a"}"#.to_owned(), &[]),
        (
            r#""endpoints": "https://a:1", "tls": {"skip_verify": true}"#.to_owned(),
            &["tls.skip_verify is on"],
        ),
        (
            r#""endpoints": "http://a:1", "tls": {"skip_verify": true}"#.to_owned(),
            &["tls is set, but no endpoint", "tls.skip_verify is on"],
        ),
        (
            format!(r#""endpoints": "https://a:1,http://b:1", {user}"#),
            &["auth is set, but http://b:1 is not encrypted"],
        ),
        (format!(r#""endpoints": "https://a:1", {user}"#), &[]),
        (r#""caddyfile": "/no/such/file""#.to_owned(), &["caddyfile: /no/such/file does not exist"]),
        (r#""caddyfile": "/no/such/file", "disable_caddyfile_load": true"#.to_owned(), &[]),
    ] {
        let checked = check(&format!("{{{settings}}}"), &[]);
        is_ok(&checked, warnings);
        let json = check(&format!("{{{settings}}}"), &["--json"]);
        assert_eq!(objects(&json.stderr).len(), warnings.len(), "{json:?}");
        assert!(objects(&json.stderr).iter().all(|told| told["warning"]["kind"] == "suspicious"), "{json:?}");
    }
}

#[test]
fn files_that_are_named_must_be_readable() {
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path().join("there");
    std::fs::write(&there, "x").unwrap();
    let (there, directory) = (argument(&there), argument(folder.path()));
    let tls = |cert: &str, key: &str, ca: &str| {
        let tls = json!({"cert": cert, "key": key, "ca": ca});
        json!({"endpoints": "https://a:1", "tls": tls, "caddyfile": there}).to_string()
    };
    is_ok(&check(&tls(there, there, there), &[]), &[]);
    is_wrong(
        &check(&tls("/no/cert", directory, "/no/ca"), &[]),
        &[
            "standard input: tls.cert: cannot read /no/cert: ",
            &format!("standard input: tls.key: cannot read {directory}: "),
            "standard input: tls.ca: cannot read /no/ca: ",
        ],
    );
    is_wrong(
        &check("storage etcd {\n\tendpoints https://a:1\n\ttls {\n\t\tca /no/ca\n\t}\n}", &[]),
        &["standard input:4: tls.ca: cannot read /no/ca: "],
    );
    is_wrong(
        &check_environment(&[("SERVERS", "https://a:1"), ("TLS_CA", "/no/ca"), ("CADDYFILE", directory)]),
        &[
            &format!("CADDY_CLUSTERING_ETCD_CADDYFILE: cannot read {directory}: "),
            "CADDY_CLUSTERING_ETCD_TLS_CA: cannot read /no/ca: ",
        ],
    );
}
