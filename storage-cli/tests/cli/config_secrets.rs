//! A password in a configuration is shown by no command, whether the configuration is right or not.

use crate::support::{argument, command, run};

const SECRET: &str = "s3ntinel-hunter2";

const COMMANDS: [&[&str]; 9] = [
    &["config", "show"],
    &["config", "check"],
    &["ls"],
    &["put", "a"],
    &["lock", "a", "--", "true"],
    &["locks"],
    &["frob"],
    &["config", "frob"],
    &["--help"],
];

/// Configurations with the password where it belongs, or near it.
fn texts() -> Vec<(&'static str, String)> {
    let json = |auth: &str| format!(r#"{{"endpoints": "http://127.0.0.1:1", {auth}}}"#);
    let caddyfile = |auth: &str| format!("storage etcd {{\n\tendpoints http://127.0.0.1:1\n{auth}\n}}");
    vec![
        ("right.json", json(&format!(r#""auth": {{"username": "u", "password": "{SECRET}"}}"#))),
        ("no-user.json", json(&format!(r#""auth": {{"password": "{SECRET}"}}"#))),
        ("twice.json", json(&format!(r#""auth": {{"password": "{SECRET}", "password": "{SECRET}"}}"#))),
        ("list.json", json(&format!(r#""auth": {{"username": "u", "password": ["{SECRET}"]}}"#))),
        ("open.json", format!(r#"{{"auth": {{"password": "{SECRET}"#)),
        ("url.json", format!(r#"{{"endpoints": "http://u:{SECRET}@127.0.0.1:1"}}"#)),
        (
            "lock.json",
            json(&format!(r#""lock_timeout": "0s", "auth": {{"username": "", "password": "{SECRET}"}}"#)),
        ),
        ("right", caddyfile(&format!("auth {{\nusername u\npassword {SECRET}\n}}"))),
        ("words", caddyfile(&format!("auth {{\nusername u\npassword a {SECRET}\n}}"))),
        ("no-name", caddyfile(&format!("auth {{\nusername u\n{SECRET}\n}}"))),
        ("open", format!("storage etcd {{\nauth {{\nusername u\npassword {SECRET}\n")),
        ("url", format!("storage etcd {{\nendpoints http://u:{SECRET}@127.0.0.1:1\n}}")),
        ("variable", caddyfile("auth {\nusername u\npassword {$SECRET}\n}")),
    ]
}

#[test]
fn by_no_command_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in texts() {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        for arguments in COMMANDS {
            for format in [&[][..], &["--json"]] {
                let shown = run(command()
                    .args(["--config", argument(&file)])
                    .args(format)
                    .args(arguments)
                    .env("SECRET", SECRET));
                let all = format!("{}{}", shown.text(), shown.stderr);
                assert!(!all.contains("hunter2") && !all.contains("s3ntinel"), "{name} {arguments:?}: {all}");
            }
        }
    }
}

#[test]
fn by_no_command_from_the_environment() {
    let url = format!("http://u:{SECRET}@127.0.0.1:1");
    for variables in [
        &[("USERNAME", "u"), ("PASSWORD", SECRET)][..],
        &[("PASSWORD", SECRET)],
        &[("USERNAME", "u"), ("PASSWORD", SECRET), ("TIMEOUT", "x")],
        &[("PASSWROD", SECRET), ("USERNAME", "u")],
        &[("SERVERS", &url)],
    ] {
        for arguments in COMMANDS {
            for format in [&[][..], &["--json"]] {
                let named =
                    variables.iter().map(|(name, value)| (format!("CADDY_CLUSTERING_ETCD_{name}"), value));
                let shown = run(command()
                    .env("CADDY_CLUSTERING_ETCD_SERVERS", "http://127.0.0.1:1")
                    .envs(named)
                    .args(format)
                    .args(arguments));
                let all = format!("{}{}", shown.text(), shown.stderr);
                assert!(
                    !all.contains("hunter2") && !all.contains("s3ntinel"),
                    "{variables:?} {arguments:?}: {all}"
                );
            }
        }
    }
}
