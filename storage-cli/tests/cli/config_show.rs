//! What `kvfs config show` says of each setting, whatever it comes from.

use serde_json::{Value, json};

use crate::support::{Run, argument, command, run};

const JSON: &str = r#"{
    "endpoints": ["https://a:2379", "https://b:2379"],
    "tls": {"ca": "/tls/ca.pem"},
    "auth": {"username": "root", "password": "hunter2"}
}"#;

const CADDYFILE: &str = "{
    storage etcd {
        endpoints https://a:2379 https://b:2379
        tls {
            ca /tls/ca.pem
        }
        auth {
            username root
            password {$ETCD_PASSWORD}
        }
    }
}
example.com {
}
";

const VARIABLES: [(&str, &str); 4] = [
    ("CADDY_CLUSTERING_ETCD_SERVERS", "https://a:2379;https://b:2379"),
    ("CADDY_CLUSTERING_ETCD_TLS_CA", "/tls/ca.pem"),
    ("CADDY_CLUSTERING_ETCD_USERNAME", "root"),
    ("CADDY_CLUSTERING_ETCD_PASSWORD", "hunter2"),
];

/// How many there are.
fn settings() -> usize {
    kv_etcd::EtcdConfig::from_json("{}").unwrap().settings().len()
}

fn show(file: Option<&str>, arguments: &[&str]) -> Run {
    let mut command = command();
    command.args(["config", "show"]).args(arguments);
    match file {
        Some(file) => command.args(["--config", file]).env("ETCD_PASSWORD", "hunter2"),
        None => command.envs(VARIABLES),
    };
    run(&mut command).succeeded()
}

/// The settings that have another source than the default, by their names.
fn given(objects: &[Value]) -> Vec<(&str, &str, &str)> {
    let given = objects.iter().filter(|object| object["source"] != "default");
    given.map(|object| (name(object, "setting"), name(object, "value"), name(object, "source"))).collect()
}

fn name<'a>(object: &'a Value, field: &str) -> &'a str {
    object[field].as_str().unwrap()
}

#[test]
fn every_setting_has_its_value_and_its_source() {
    let folder = tempfile::tempdir().unwrap();
    let (json, caddyfile) = (folder.path().join("store.json"), folder.path().join("Caddyfile"));
    std::fs::write(&json, JSON).unwrap();
    std::fs::write(&caddyfile, CADDYFILE).unwrap();
    let (json, caddyfile) = (argument(&json), argument(&caddyfile));
    let in_json = |name: &str| format!("{json}: {name}");
    let in_line = |line: u32| format!("{caddyfile}:{line}");
    let variable = |name: &str| format!("CADDY_CLUSTERING_ETCD_{name}");
    for (file, sources) in [
        (Some(json), ["endpoints", "tls.ca", "auth.username", "auth.password"].map(in_json)),
        (Some(caddyfile), [3, 5, 8, 9].map(in_line)),
        (None, ["SERVERS", "TLS_CA", "USERNAME", "PASSWORD"].map(variable)),
    ] {
        let objects = show(file, &["--json"]).objects();
        assert_eq!(objects.len(), settings());
        let [endpoints, ca, username, password] = &sources;
        assert_eq!(
            given(&objects),
            [
                ("endpoints", "https://a:2379,https://b:2379", endpoints.as_str()),
                ("tls.ca", "/tls/ca.pem", ca),
                ("auth.username", "root", username),
                ("auth.password", "[redacted]", password),
            ]
        );
        let prefix = json!({"setting": "key_prefix", "value": "/caddy", "source": "default"});
        assert_eq!(objects[1], prefix);
        let none = json!({"setting": "tls.cert", "source": "default"});
        assert!(objects.contains(&none), "{objects:?}");

        let text = show(file, &[]);
        let lines: Vec<_> = text.text().lines().collect();
        assert_eq!(lines.len(), settings() + 1, "a heading, and a line for each setting: {lines:?}");
        assert_eq!(lines[0], "SETTING\tVALUE\tSOURCE");
        for (line, object) in lines[1..].iter().zip(&objects) {
            let value = object["value"].as_str().unwrap_or("-");
            let expected = [name(object, "setting"), value, name(object, "source")];
            assert_eq!(line.split('\t').collect::<Vec<_>>(), expected);
        }
    }
}

#[test]
fn without_anything_all_is_default() {
    let shown = run(command().args(["config", "show", "--json"])).succeeded().objects();
    assert_eq!((shown.len(), given(&shown)), (settings(), vec![]));
    // What names a store says nothing of the configuration, and is not looked at.
    let shown = run(command().args(["config", "show", "--json"]).env("KVFS_STORE", "memory:"));
    assert_eq!(given(&shown.succeeded().objects()), []);
}

#[test]
fn standard_input_may_be_either() {
    for (text, endpoints, ca) in [
        (JSON, "standard input: endpoints", "standard input: tls.ca"),
        (CADDYFILE, "standard input:3", "standard input:5"),
    ] {
        let shown = run(command()
            .args(["config", "show", "--json", "--config", "-"])
            .env("ETCD_PASSWORD", "x")
            .write_stdin(text));
        let shown = shown.succeeded().objects();
        let sources: Vec<_> = given(&shown).iter().map(|(.., source)| *source).take(2).collect();
        assert_eq!(sources, [endpoints, ca]);
    }
}

#[test]
fn the_variable_names_the_file_unless_the_option_does() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a");
    std::fs::write(&file, r#"{"key_prefix": "/a"}"#).unwrap();
    let shown = run(command().args(["config", "show", "--json"]).env("KVFS_CONFIG", &file)).succeeded();
    let objects = shown.objects();
    assert_eq!(given(&objects), [("key_prefix", "/a", format!("{}: key_prefix", file.display()).as_str())]);
    let shown = run(command()
        .args(["config", "show", "--json", "--config", "-"])
        .env("KVFS_CONFIG", &file)
        .write_stdin("{}"));
    assert_eq!(given(&shown.succeeded().objects()), []);
}

#[test]
fn what_is_shown_holds_nothing_that_a_terminal_obeys() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a\u{1b}[31m");
    std::fs::write(&file, r#"{"key_prefix": "/a"}"#).unwrap();
    for arguments in [&["config", "show"][..], &["config", "check"], &["config", "show", "--json"]] {
        let shown = run(command().args(arguments).env("KVFS_CONFIG", &file)).succeeded();
        assert!(!shown.text().contains('\u{1b}'), "{shown:?}");
    }
}
