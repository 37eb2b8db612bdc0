//! The tree is that of the configuration, if there is one.

use std::path::PathBuf;

use serde_json::json;
use tempfile::TempDir;

use crate::support::{Run, argument, command, dead_url, on_each_etcd, run};

const SERVERS: &str = "CADDY_CLUSTERING_ETCD_SERVERS";
const PREFIX: &str = "CADDY_CLUSTERING_ETCD_PREFIX";

/// A local file with this content.
fn file(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let file = folder.path().join(name);
    std::fs::write(&file, text).unwrap();
    file
}

#[test]
fn a_file_or_the_environment_names_the_store() {
    on_each_etcd("config store", |_, etcd| {
        let folder = tempfile::tempdir().unwrap();
        let endpoint = etcd.endpoint();
        let json = json!({"endpoints": endpoint, "key_prefix": "json"}).to_string();
        let caddyfile =
            format!("{{\n\tstorage etcd {{\n\t\tendpoints {endpoint}\n\t\tkey_prefix caddyfile\n\t}}\n}}");
        let json = file(&folder, "store.json", &json);
        let caddyfile = file(&folder, "Caddyfile", &caddyfile);
        let (json, caddyfile) = (argument(&json), argument(&caddyfile));
        let (elsewhere, nowhere) = ("http://127.0.0.1:1", "memory:");
        for (n, (options, variables, prefix)) in [
            (&["--config", json][..], &[][..], "/json"),
            (&[], &[("KVFS_CONFIG", json), (SERVERS, elsewhere)], "/json"),
            // The option counts, and not the variable.
            (&["--config", caddyfile], &[("KVFS_STORE", nowhere)], "/caddyfile"),
            (&[], &[(SERVERS, endpoint.as_str()), (PREFIX, "env")], "/env"),
            (&[], &[(SERVERS, &endpoint)], "/caddy"),
        ]
        .into_iter()
        .enumerate()
        {
            let kvfs = |arguments: &[&str], input: &str| -> Run {
                let mut command = command();
                command.args(options).envs(variables.iter().copied());
                run(command.args(arguments).write_stdin(input)).succeeded()
            };
            let (path, content) = (format!("dir/{n}"), format!("content {n}"));
            kvfs(&["put", &path], &content);
            assert_eq!(kvfs(&["get", &path], "").text(), content);
            let key = format!("{prefix}/data/{path}");
            assert_eq!(etcd.etcdctl(&["get", "--print-value-only", &key]).unwrap().trim_end(), content);
        }
    });
}

#[cfg(unix)]
#[test]
fn the_lock_timeout_is_that_of_the_configuration_unless_a_ttl_is_given() {
    on_each_etcd("config lock timeout", |_, etcd| {
        let folder = tempfile::tempdir().unwrap();
        let text = json!({"endpoints": etcd.endpoint(), "lock_timeout": "1h"}).to_string();
        let config = file(&folder, "store.json", &text);
        // A `kvfs` in the command works on the same tree, whatever directory it is in.
        let script = "cd / && \"$1\" --json locks";
        let program = env!("CARGO_BIN_EXE_kvfs");
        let remaining = |options: &[&str]| {
            let mut command = command();
            command.current_dir(folder.path()).args(["--config", "store.json", "lock", "a"]).args(options);
            let run = run(command.args(["--", "sh", "-c", script, "sh", program])).succeeded();
            run.objects()[0]["remaining_seconds"].as_u64().unwrap()
        };
        assert!((3500..=3600).contains(&remaining(&[])));
        assert!((60..=120).contains(&remaining(&["--ttl", "2m"])));
        drop(config);
    });
}

#[cfg(unix)]
#[test]
fn a_command_that_is_run_with_a_lock_finds_one_store_only() {
    let script = "echo \"$KVFS_STORE|$KVFS_CONFIG\"";
    let locked = run(command()
        .args(["--store", "memory:", "lock", "a", "--", "sh", "-c", script])
        .env("KVFS_CONFIG", "other.json"));
    assert_eq!(locked.succeeded().text(), "memory:|\n");
}

#[test]
fn two_stores_are_refused() {
    let both = &["--store and --config are both given"];
    let wrong = |arguments: &[&str]| run(command().args(arguments));
    wrong(&["--store", "memory:", "--config", "x", "ls"]).failed(2, both);
    wrong(&["ls", "--store", "memory:", "--config", "x"]).failed(2, both);
    wrong(&["--store", "memory:", "ls", "--config", "x"]).failed(2, both);
    let variables = run(command().arg("ls").envs([("KVFS_STORE", "memory:"), ("KVFS_CONFIG", "x")]));
    variables.failed(2, &["KVFS_STORE and KVFS_CONFIG are both set"]);
    wrong(&["--store", "memory:", "config", "show"]).failed(2, &["leave --store out"]);
    wrong(&["--config", "-", "ls"]).failed(2, &["`kvfs config` only"]);
    // An option with nothing in it is no reason to take another store.
    let empty = run(command().args(["--store", "", "ls"]).env(SERVERS, "http://127.0.0.1:1"));
    empty.failed(2, &["no scheme"]);
}

#[test]
fn a_configuration_that_is_wrong_is_told_of_on_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = file(&folder, "wrong.json", r#"{"endpoints": "a:1", "lock_timeout": "0s"}"#);
    let wrong = argument(&wrong);
    let said = &["wrong.json: endpoints: \"a:1\" has no scheme", "; ", "wrong.json: lock_timeout: 0s"];
    run(command().args(["--config", wrong, "ls"])).failed(2, said);
    run(command().args(["--config", wrong, "lock", "a", "--", "true"])).failed(2, said);
    run(command().arg("ls").env(SERVERS, "a:1")).failed(2, &["CADDY_CLUSTERING_ETCD_SERVERS: \"a:1\""]);
    run(command().args(["--config", "/no/such/file", "ls"])).failed(2, &["/no/such/file does not exist"]);
}

#[test]
fn a_store_that_is_not_there_is_told_of_with_what_named_it() {
    let folder = tempfile::tempdir().unwrap();
    let dead = dead_url();
    let endpoint = dead.replace("etcd://", "http://");
    let config = file(&folder, "dead.json", &json!({"endpoints": endpoint}).to_string());
    let named = run(command().args(["--config", argument(&config), "ls"]));
    named.failed(3, &[&format!("store {dead}/caddy: "), "is the server at", "check ", "dead.json"]);
    let named = run(command().arg("ls").env(SERVERS, endpoint));
    named.failed(3, &["check the variables CADDY_CLUSTERING_ETCD_*"]);
}
