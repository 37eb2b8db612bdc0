use std::collections::BTreeMap;
use std::ffi::OsString;

use bad_input::bolero::{Driver, ValueGenerator};
use bad_input::{Choice, Texts, Verdict, fuzz, one_line, value};
use storage_core::KeyPrefix;

use crate::{ConfigError, EtcdConfig};

#[test]
fn settings_are_the_same_whichever_way_they_come_in() {
    fuzz!(SomeSettings, |settings: &Settings| {
        let ways = [settings.read_json(), settings.read_env(), settings.read_caddyfile()];
        for config in &ways {
            check(config);
            check_secret(config);
        }
        let [json, env, caddyfile] = &ways;
        assert_eq!(known(json), known(env));
        if !settings.has_placeholders() {
            assert_eq!(known(json), known(caddyfile));
        }
        check(&EtcdConfig::from_json(&settings.nonsense));
        check(&EtcdConfig::from_caddyfile_with(&settings.nonsense, "Caddyfile", |_| None));
        check(&EtcdConfig::from_json(&spoiled(&settings.json(), settings.spoil)));
        let caddyfile = spoiled(&settings.caddyfile(), settings.spoil);
        check(&EtcdConfig::from_caddyfile_with(&caddyfile, "Caddyfile", |_| None));
        Verdict::of(json)
    });
}

/// Settings as texts, and texts that are none.
#[derive(Debug)]
struct Settings {
    given: BTreeMap<Name, String>,
    nonsense: String,
    /// What is to be taken out of a text, and what is put there: where, how many bytes, a character.
    spoil: (usize, usize, char),
}

/// A setting: its group and name in JSON and Caddyfiles, and its variable without what all begin with.
type Name = (&'static str, &'static str, &'static str);

/// Those that one text can say in all ways.
const NAMES: [Name; 21] = [
    ("", "endpoints", "SERVERS"),
    ("", "key_prefix", "PREFIX"),
    ("", "lock_timeout", "TIMEOUT"),
    ("", "caddyfile", "CADDYFILE"),
    ("tls", "cert", "TLS_CERT"),
    ("tls", "key", "TLS_KEY"),
    ("tls", "ca", "TLS_CA"),
    ("tls", "server_name", "TLS_SERVER_NAME"),
    ("tls", "skip_verify", "TLS_SKIP_VERIFY"),
    ("auth", "username", "USERNAME"),
    ("auth", "password", "PASSWORD"),
    ("connection", "dial_timeout", "DIAL_TIMEOUT"),
    ("connection", "keepalive_time", "KEEPALIVE_TIME"),
    ("connection", "keepalive_timeout", "KEEPALIVE_TIMEOUT"),
    ("connection", "auto_sync_interval", "AUTO_SYNC"),
    ("connection", "request_timeout", "REQUEST_TIMEOUT"),
    ("connection", "reject_old_cluster", "REJECT_OLD"),
    ("connection", "max_request_bytes", "MAX_REQUEST_BYTES"),
    ("connection", "max_txn_ops", "MAX_TXN_OPS"),
    ("connection", "max_requests_per_second", "MAX_REQUESTS_PER_SECOND"),
    ("connection", "request_burst", "REQUEST_BURST"),
];

/// In every password and key; nothing may repeat it.
const SECRET: &str = "hunter2";

const DURATIONS: [&str; 13] = [
    "5m",
    "1h15m30.5s",
    "1s",
    "250ms",
    "0",
    "-1s",
    "1\u{b5}s",
    "9223372036854775807ns",
    "9223372036854775808ns",
    "99999999999999999999999999999999999999h",
    "99999999999999999999999999999999999999999h",
    "1.",
    ".s",
];
const SIZES: [&str; 9] = ["1024", "65536", "1", "0", "-1", "+5", "1e3", "18446744073709551616", " 5"];
const FLAGS: [&str; 6] = ["true", "FALSE", "True", "yes", "1", "tru\u{0065}\u{301}"];
const ENDPOINTS: [&str; 9] = [
    "http://a:1",
    "https://[::1]:2379",
    "http://a:1, http://b:2;http://c:3",
    "http://a:1,",
    "a:1",
    "http://a:0",
    "http://root:hunter2@a:1",
    "http://root:hunt,er2hunter2@a:1",
    "http://a:1/\u{1b}[0m",
];
const FILES: [&str; 4] = ["/etc/x.pem", "x", "-----BEGIN hunter2", "a\nb"];
const PREFIXES: [&str; 7] = ["/caddy", "a//b/./c/", "/a/../b", "..", "/a/../../b", "/", "a\\..\\b"];

struct SomeSettings;

impl ValueGenerator for SomeSettings {
    type Output = Settings;

    fn generate<D: Driver>(&self, driver: &mut D) -> Option<Settings> {
        let mut given = BTreeMap::new();
        // Wrong ones are so many that half of all configurations would have some.
        let is_spoiled = driver.once_in(2)?;
        for _ in 0..driver.number(0..=4)? {
            let name = *driver.pick(&NAMES)?;
            given.insert(name, text(driver, name, is_spoiled)?);
        }
        if driver.once_in(4)? {
            given.insert(NAMES[9], "root".to_owned());
            given.insert(NAMES[10], text(driver, NAMES[10], is_spoiled)?);
        }
        let nonsense = match driver.number(0..=7)? {
            0 => value(driver)?,
            1 | 2 => Texts.generate(driver)?,
            _ => caddyfile_like(driver)?,
        };
        let spoil = (driver.number(0..=200)?, driver.number(0..=4)?, driver.character()?);
        Some(Settings { given, nonsense, spoil })
    }
}

/// A text for a setting, right or spoiled.
fn text<D: Driver>(driver: &mut D, (_, name, _): Name, is_spoiled: bool) -> Option<String> {
    if name == "password" {
        let wild = if is_spoiled { Texts.generate(driver)? } else { String::new() };
        return Some(format!("{SECRET}{wild}"));
    }
    if is_spoiled && driver.once_in(8)? {
        return Some(format!("x{}", Texts.generate(driver)?));
    }
    let (texts, right): (&[&str], usize) = match name {
        "endpoints" => (&ENDPOINTS, 3),
        "key_prefix" => (&PREFIXES, 3),
        "skip_verify" | "reject_old_cluster" => (&FLAGS, 3),
        "max_request_bytes" | "max_txn_ops" | "max_requests_per_second" | "request_burst" => (&SIZES, 2),
        "caddyfile" | "cert" | "key" | "ca" => (&FILES, 2),
        "username" | "server_name" => (&["root", "a.example", "a b", "a\u{7f}b"], 2),
        _ => (&DURATIONS, 3),
    };
    Some((*driver.pick(if is_spoiled { texts } else { &texts[..right] })?).to_owned())
}

/// The signs of Caddyfiles, in any order.
fn caddyfile_like<D: Driver>(driver: &mut D) -> Option<String> {
    const SIGNS: [&str; 22] = [
        "{",
        "}",
        "{\n",
        "}\n",
        "\n",
        " ",
        "\"",
        "`",
        "\\",
        "\\\"",
        "#",
        "<<E\n",
        "E\n",
        "{$A}",
        "{$A:{$B}",
        "{env.A}",
        "{file.x}",
        "storage etcd {\n",
        "storage",
        "endpoints http://a:1\n",
        "auth {\n",
        "lock_timeout 5m\n",
    ];
    (0..driver.number(0..=12)?).map(|_| driver.pick(&SIGNS).copied()).collect()
}

impl Settings {
    fn json(&self) -> String {
        let mut object = serde_json::Map::new();
        for ((group, name, _), text) in &self.given {
            let fields = match *group {
                "" => &mut object,
                group => object
                    .entry(group)
                    .or_insert_with(|| serde_json::json!({}))
                    .as_object_mut()
                    .expect("made so"),
            };
            fields.insert((*name).to_owned(), text.clone().into());
        }
        serde_json::Value::Object(object).to_string()
    }

    fn caddyfile(&self) -> String {
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\\\""));
        let mut lines = vec!["storage etcd {".to_owned()];
        let mut open = "";
        // In the order of their groups.
        for ((group, name, _), text) in &self.given {
            if open != *group {
                lines.extend((!open.is_empty()).then(|| "}".to_owned()));
                lines.push(format!("{group} {{"));
                open = group;
            }
            lines.push(format!("{name} {}", quoted(text)));
        }
        lines.push(if open.is_empty() { "}" } else { "}\n}" }.to_owned());
        lines.join("\n")
    }

    /// Whether a text may mean something else in a Caddyfile: a placeholder, or an escape.
    fn has_placeholders(&self) -> bool {
        self.given.values().any(|text| text.contains(['{', '\\', '\r']))
    }

    fn read_json(&self) -> Result<EtcdConfig, ConfigError> {
        EtcdConfig::from_json(&self.json())
    }

    fn read_env(&self) -> Result<EtcdConfig, ConfigError> {
        EtcdConfig::from_env_with(|variable| {
            let name = variable.strip_prefix("CADDY_CLUSTERING_ETCD_").expect("all begin so");
            self.given.iter().find(|((.., known), _)| *known == name).map(|(_, text)| OsString::from(text))
        })
    }

    fn read_caddyfile(&self) -> Result<EtcdConfig, ConfigError> {
        EtcdConfig::from_caddyfile_with(&self.caddyfile(), "Caddyfile", |_| None)
    }
}

/// A configuration is valid whatever it was made from, and what is wrong is said in one line.
fn check(config: &Result<EtcdConfig, ConfigError>) {
    match config {
        Ok(config) => {
            let tree = KeyPrefix::parse(config.prefix()).expect("a prefix is one of a tree");
            assert_eq!(config.storage_options().prefix, tree);
            assert!(!config.endpoints().is_empty());
            let json = config.to_redacted_json();
            match EtcdConfig::from_json(&json) {
                Ok(again) => assert_eq!(again, *config),
                Err(error) => {
                    let is_redacted =
                        |problem: &crate::ConfigProblem| problem.setting() == Some("auth.password");
                    assert!(
                        config.password().is_some() && error.problems().iter().all(is_redacted),
                        "{error}"
                    );
                }
            }
        }
        Err(error) => {
            let message = error.to_string();
            assert!(one_line(&message), "{message:?}");
            assert!(!error.problems().is_empty());
        }
    }
}

/// Passwords, and keys that stand where their file should, are never shown.
fn check_secret(config: &Result<EtcdConfig, ConfigError>) {
    let shown = match config {
        Ok(config) => format!("{config:?}{}", config.to_redacted_json()),
        Err(error) => format!("{error:?}{error}"),
    };
    assert!(!shown.contains(SECRET), "{shown:?}");
}

/// What has to be the same: the settings, or which of them are wrong.
fn known(config: &Result<EtcdConfig, ConfigError>) -> Result<&EtcdConfig, Vec<Option<&str>>> {
    config.as_ref().map_err(|error| {
        let mut wrong: Vec<_> = error.problems().iter().map(crate::ConfigProblem::setting).collect();
        wrong.sort_unstable();
        wrong
    })
}

/// The text with a few characters replaced.
fn spoiled(text: &str, (at, length, put): (usize, usize, char)) -> String {
    let kept = text.chars().take(at);
    kept.chain([put]).chain(text.chars().skip(at + length)).collect()
}
