//! What holds for every way in.

use proptest::prelude::*;

use super::setting::Setting;
use super::*;

const CONFIG_JSON: &str = r#"{
    "endpoints": ["https://a:2379", "http://b:2379"],
    "key_prefix": "\\certs\\main\\",
    "lock_timeout": "1m30.5s",
    "caddyfile": "/etc/caddy/Caddyfile",
    "disable_caddyfile_load": true,
    "tls": {
        "cert": "/tls/cert.pem", "key": "/tls/key.pem", "ca": "/tls/ca.pem",
        "server_name": "etcd.example.com", "skip_verify": true
    },
    "auth": { "username": "root", "password": "hunter2" },
    "connection": {
        "dial_timeout": "1s", "keepalive_time": "2s", "keepalive_timeout": "3s", "auto_sync_interval": 4000000000,
        "request_timeout": "5s", "reject_old_cluster": false, "max_request_bytes": 2048, "max_txn_ops": 64,
        "max_requests_per_second": 100, "request_burst": 300
    }
}"#;

const CONFIG_CADDYFILE: &str = r#"
{
    email admin@example.com
    storage etcd {
        endpoints https://a:2379 http://b:2379
        key_prefix \certs\main
        lock_timeout 1m30.5s
        caddyfile /etc/caddy/Caddyfile
        disable_caddyfile_load
        tls {
            cert /tls/cert.pem
            key "/tls/key.pem"
            ca `/tls/ca.pem`
            server_name etcd.{$DOMAIN:example.com}
            skip_verify true
        }
        auth {
            username {$ETCD_USER}
            password {env.ETCD_PASSWORD}
        }
        connection {
            dial_timeout 1s
            keepalive_time 2s
            keepalive_timeout 3s
            auto_sync_interval 4s
            request_timeout 5s
            reject_old_cluster false
            max_request_bytes 2048
            max_txn_ops 64
            max_requests_per_second 100
            request_burst 300
        }
    }
}
example.com {
    respond "hello"
}
"#;

const CONFIG_ENV: [(&str, &str); 22] = [
    ("SERVERS", "https://a:2379;http://b:2379"),
    ("PREFIX", "\\certs\\main\\"),
    ("TIMEOUT", "1m30.5s"),
    ("CADDYFILE", "/etc/caddy/Caddyfile"),
    ("CADDYFILE_LOADER", "disable"),
    ("TLS_CERT", "/tls/cert.pem"),
    ("TLS_KEY", "/tls/key.pem"),
    ("TLS_CA", "/tls/ca.pem"),
    ("TLS_SERVER_NAME", "etcd.example.com"),
    ("TLS_SKIP_VERIFY", "true"),
    ("USERNAME", "root"),
    ("PASSWORD", "hunter2"),
    ("DIAL_TIMEOUT", "1s"),
    ("KEEPALIVE_TIME", "2s"),
    ("KEEPALIVE_TIMEOUT", "3s"),
    ("AUTO_SYNC", "4s"),
    ("REQUEST_TIMEOUT", "5s"),
    ("REJECT_OLD", "false"),
    ("MAX_REQUEST_BYTES", "2048"),
    ("MAX_TXN_OPS", "64"),
    ("MAX_REQUESTS_PER_SECOND", "100"),
    ("REQUEST_BURST", "300"),
];

fn lookup<'a>(variables: &'a [(&str, &str)]) -> impl Fn(&str) -> Option<OsString> + 'a {
    |name| {
        let suffix = name.strip_prefix("CADDY_CLUSTERING_ETCD_")?;
        variables.iter().find(|(known, _)| *known == suffix).map(|(_, value)| value.into())
    }
}

fn user(name: &str) -> Option<OsString> {
    match name {
        "ETCD_USER" => Some("root".into()),
        "ETCD_PASSWORD" => Some("hunter2".into()),
        _ => None,
    }
}

fn configured() -> EtcdConfigBuilder {
    let seconds = Duration::from_secs;
    EtcdConfig::builder(["https://a:2379", "http://b:2379"])
        .with_prefix("\\certs\\main\\")
        .with_lock_timeout(Duration::from_millis(90_500))
        .with_caddyfile("/etc/caddy/Caddyfile")
        .with_caddyfile_loading(CaddyfileLoading::Disabled)
        .with_tls_cert("/tls/cert.pem")
        .with_tls_key("/tls/key.pem")
        .with_tls_ca("/tls/ca.pem")
        .with_tls_server_name("etcd.example.com")
        .with_tls_verification(ServerVerification::Skipped)
        .with_username("root")
        .with_password("hunter2")
        .with_dial_timeout(seconds(1))
        .with_keepalive_time(seconds(2))
        .with_keepalive_timeout(seconds(3))
        .with_auto_sync_interval(seconds(4))
        .with_request_timeout(seconds(5))
        .with_old_clusters(OldClusters::Accepted)
        .with_max_request_bytes(2048)
        .with_max_txn_ops(64)
        .with_request_rate(100, 300)
}

#[test]
fn the_same_configuration_is_the_same_in_all_four_ways() {
    let configs = [
        ("builder", configured().build()),
        ("environment", EtcdConfig::from_env_with(lookup(&CONFIG_ENV))),
        ("JSON", EtcdConfig::from_json(CONFIG_JSON)),
        ("Caddyfile", EtcdConfig::from_caddyfile_with(CONFIG_CADDYFILE, "Caddyfile", user)),
    ];
    for (way, config) in configs {
        let config = config.unwrap();
        assert_eq!(config.endpoints(), ["https://a:2379", "http://b:2379"], "{way}");
        assert_eq!(config.prefix(), "/certs/main", "{way}");
        assert_eq!(config.lock_timeout(), Duration::from_millis(90_500), "{way}");
        assert_eq!(config.caddyfile().unwrap().to_str(), Some("/etc/caddy/Caddyfile"), "{way}");
        assert_eq!(config.caddyfile_loading(), CaddyfileLoading::Disabled, "{way}");
        assert_eq!(config.tls().cert().unwrap().to_str(), Some("/tls/cert.pem"), "{way}");
        assert_eq!(config.tls().key().unwrap().to_str(), Some("/tls/key.pem"), "{way}");
        assert_eq!(config.tls().ca().unwrap().to_str(), Some("/tls/ca.pem"), "{way}");
        assert_eq!(config.tls().server_name(), Some("etcd.example.com"), "{way}");
        assert_eq!(config.tls().verification(), ServerVerification::Skipped, "{way}");
        assert_eq!(config.username(), Some("root"), "{way}");
        assert_eq!(config.password().map(Secret::expose), Some("hunter2"), "{way}");
        assert_eq!(config.dial_timeout(), Duration::from_secs(1), "{way}");
        assert_eq!(config.keepalive_time(), Duration::from_secs(2), "{way}");
        assert_eq!(config.keepalive_timeout(), Duration::from_secs(3), "{way}");
        assert_eq!(config.auto_sync_interval(), Duration::from_secs(4), "{way}");
        assert_eq!(config.request_timeout(), Duration::from_secs(5), "{way}");
        assert_eq!(config.old_clusters(), OldClusters::Accepted, "{way}");
        assert_eq!((config.max_request_bytes(), config.max_txn_ops()), (2048, 64), "{way}");
        assert_eq!((config.max_requests_per_second(), config.request_burst()), (100, 300), "{way}");
        assert_eq!(Ok(config), configured().build(), "{way}");
    }
}

#[test]
fn the_defaults_are_valid_as_documented_and_the_same_in_all_four_ways() {
    let config = EtcdConfig::new(["http://127.0.0.1:2379"]).unwrap();
    assert_eq!(config.prefix(), "/caddy");
    assert_eq!(config.lock_timeout(), Duration::from_secs(300));
    assert_eq!((config.caddyfile(), config.caddyfile_loading()), (None, CaddyfileLoading::Enabled));
    assert!(!config.tls().is_set());
    assert_eq!(config.tls().verification(), ServerVerification::Required);
    assert_eq!((config.username(), config.password()), (None, None));
    assert_eq!(config.dial_timeout(), Duration::from_secs(5));
    assert_eq!(config.keepalive_time(), Duration::from_secs(30));
    assert_eq!(config.keepalive_timeout(), Duration::from_secs(20));
    assert_eq!(config.auto_sync_interval(), Duration::from_secs(300));
    assert_eq!(config.request_timeout(), Duration::from_secs(30));
    assert_eq!(config.old_clusters(), OldClusters::Rejected);
    assert_eq!(config.limits(), Limits::ETCD_DEFAULTS);
    assert_eq!((config.max_requests_per_second(), config.request_burst()), (0, 200));
    assert_eq!(config.probe_key().as_bytes(), b"/caddy/format");
    assert_eq!(EtcdConfig::from_env_with(|_| None).as_ref(), Ok(&config));
    assert_eq!(EtcdConfig::from_json("{}").as_ref(), Ok(&config));
    assert_eq!(EtcdConfig::from_caddyfile("storage etcd", "Caddyfile").as_ref(), Ok(&config));
}

#[test]
fn the_manual_names_every_setting_and_its_example_is_valid() {
    let manual = include_str!("../../README.md");
    for setting in Setting::ALL {
        let suffix = setting.variable().strip_prefix("CADDY_CLUSTERING_ETCD").unwrap();
        assert!(manual.contains(&format!("`…{suffix}`")), "{suffix}");
        assert!(manual.contains(&format!("`{}`", setting.path())), "{}", setting.path());
    }
    let example = manual.split("```text").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let config = EtcdConfig::from_caddyfile_with(example, "README.md", |_| None).unwrap();
    assert_eq!(config.prefix(), "/caddy/prod");
    assert_eq!(config.request_timeout(), Duration::from_secs(10));
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let error = EtcdConfig::builder(["localhost:2379", "http://ok:1", "ftp://host:2379"])
        .with_prefix("/../b")
        .with_lock_timeout(Duration::from_nanos(999_999_999))
        .with_caddyfile("")
        .with_tls_cert("a\nb")
        .with_tls_ca("")
        .with_tls_server_name("a b")
        .with_username("a\0")
        .with_dial_timeout(Duration::ZERO)
        .with_keepalive_time(Duration::from_millis(1))
        .with_keepalive_timeout(Duration::from_millis(1))
        .with_auto_sync_interval(Duration::from_millis(1))
        .with_request_timeout(Duration::from_millis(999))
        .with_max_request_bytes(65 * 1024 * 1024)
        .with_max_txn_ops(0)
        .with_request_rate(1_000_001, 0)
        .build()
        .unwrap_err();
    let said: Vec<_> = error.problems().iter().map(ToString::to_string).collect();
    let expected = [
        "key_prefix: it climbs out of the root with \"..\"",
        "endpoints: \"localhost:2379\" has no scheme; endpoints are http://host:port or https://host:port",
        "endpoints: \"ftp://host:2379\": the scheme is not http or https; \
         endpoints are http://host:port or https://host:port",
        "lock_timeout: 999.999999ms is less than 1s",
        "connection.dial_timeout: 0s is less than 1s",
        "connection.keepalive_time: 1ms is less than 1s",
        "connection.keepalive_timeout: 1ms is less than 1s",
        "connection.auto_sync_interval: 1ms is less than 1s",
        "connection.request_timeout: 999ms is less than 1s",
        "caddyfile: it is empty",
        "tls.cert: it holds a control character",
        "tls.ca: it is empty",
        "tls.server_name: it is no host name or address",
        "auth.username: it holds a control character",
        "tls.cert: it needs tls.key as well: both or neither",
        "auth.username: it needs auth.password as well: both or neither",
        "connection.max_request_bytes: 68157440 is not between 1024 and 67108864",
        "connection.max_txn_ops: 0 is not between 1 and 65536",
        "connection.max_requests_per_second: 1000001 is not between 0 and 1000000",
        "connection.request_burst: 0 is not between 1 and 1000000",
    ];
    assert_eq!(said, expected);
    assert_eq!(error.to_string(), format!("invalid configuration: {}", said.join("; ")));
    assert_eq!(error.problems()[4].setting(), Some("connection.dial_timeout"));
}

#[test]
fn a_configuration_without_endpoints_is_refused() {
    assert!(EtcdConfig::new([""; 0]).unwrap_err().to_string().contains("none given"));
}

#[test]
fn of_each_pair_both_are_given_or_neither_and_the_origin_says_which_is_missing() {
    for (given, missing) in
        [("TLS_CERT", "TLS_KEY"), ("TLS_KEY", "TLS_CERT"), ("USERNAME", "PASSWORD"), ("PASSWORD", "USERNAME")]
    {
        let error = EtcdConfig::from_env_with(lookup(&[(given, "x")])).unwrap_err();
        let expected = format!(
            "invalid configuration: CADDY_CLUSTERING_ETCD_{given}: \
             it needs CADDY_CLUSTERING_ETCD_{missing} as well: both or neither"
        );
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn each_problem_names_where_the_setting_was_given() {
    let rule = "500ms is less than 1s";
    let error = EtcdConfig::from_env_with(lookup(&[("TIMEOUT", "500ms")])).unwrap_err();
    assert_eq!(error.problems()[0].to_string(), format!("CADDY_CLUSTERING_ETCD_TIMEOUT: {rule}"));
    let error = EtcdConfig::from_json(r#"{"connection": {"dial_timeout": "500ms"}}"#).unwrap_err();
    assert_eq!(error.problems()[0].to_string(), format!("connection.dial_timeout: {rule}"));
    let error = EtcdConfig::from_caddyfile("storage etcd {\n\n lock_timeout 500ms\n}", "/etc/C").unwrap_err();
    assert_eq!(error.problems()[0].to_string(), format!("/etc/C:3: lock_timeout: {rule}"));
}

/// Stands for a password and for a key, and may be seen nowhere.
const SENTINEL: &str = "sEnTiNeL";

fn assert_hidden(shown: &str) {
    assert!(!shown.contains(SENTINEL), "{shown}");
}

#[test]
fn a_valid_configuration_shows_no_password() {
    let builder = configured().with_password(SENTINEL);
    assert_hidden(&format!("{builder:?} {builder:#?}"));
    let config = builder.build().unwrap();
    assert_hidden(&format!("{config:?} {config:#?}"));
    assert_hidden(&config.to_redacted_json());
    assert_eq!(config.password().unwrap().expose(), SENTINEL);
}

#[test]
fn no_error_shows_a_password_or_a_key() {
    let pem = format!("-----BEGIN PRIVATE KEY-----{SENTINEL}");
    let env = |name: &str, value: &str| EtcdConfig::from_env_with(lookup(&[(name, value)]));
    let auth = |lines: &str| format!("storage etcd {{\nauth {{\n{lines}\n}}\n}}");
    let json = |auth: &str| EtcdConfig::from_json(&format!("{{\"auth\": {auth}}}"));
    let caddyfile = |text: &str| {
        EtcdConfig::from_caddyfile_with(text, "Caddyfile", |name| (name == "PW").then(|| SENTINEL.into()))
    };
    let results = [
        configured().with_tls_key(&pem).build(),
        EtcdConfig::new([format!("http://root:{SENTINEL}@host:2379")]),
        env("PASSWORD", SENTINEL),
        env("TLS_KEY", &pem),
        env("TLS_KEY", &format!("{SENTINEL}\n")),
        env("SERVERS", &format!("http://root:1,{SENTINEL}@host:2379")),
        json(&format!("{{\"password\": \"{SENTINEL}\"}}")),
        json(&format!("{{\"password\": [\"{SENTINEL}\"]}}")),
        json(&format!("{{\"password\": {{\"{SENTINEL}\": 1}}}}")),
        json(&format!("\"{SENTINEL}\"")),
        json(&format!("{{\"password\": \"{SENTINEL}")),
        json(&format!("{{\"password\": \"{SENTINEL}\\u12\"}}")),
        caddyfile(&auth(&format!("password {SENTINEL}"))),
        caddyfile(&auth("password {$PW}")),
        caddyfile(&auth("password {env.PW}")),
        caddyfile(&auth(&format!("password a {SENTINEL}"))),
        caddyfile(&auth(&format!("password\n{SENTINEL}"))),
        caddyfile(&auth(&format!("password \"{SENTINEL}"))),
        caddyfile(&auth(&format!("password {SENTINEL} {{"))),
        caddyfile(&auth(&format!("password {SENTINEL}\npassword {SENTINEL}"))),
        caddyfile(&format!("storage etcd {{\n auth root {SENTINEL}\n}}")),
        caddyfile(&format!("storage etcd {{\n password {SENTINEL}\n}}")),
    ];
    for result in results {
        let error = result.unwrap_err();
        assert_hidden(&format!("{error} {error:?} {error:#?}"));
    }
}

proptest! {
    #[test]
    fn no_environment_panics(name in 0..Setting::ALL.len(), value in ".*") {
        let name = Setting::ALL[name].variable();
        let _ = EtcdConfig::from_env_with(|asked| (asked == name).then(|| value.as_str().into()));
    }
}

#[test]
fn every_setting_that_is_given_is_listed_with_its_value_and_its_origin() {
    for config in [
        EtcdConfig::from_json(CONFIG_JSON).unwrap(),
        EtcdConfig::from_caddyfile_with(CONFIG_CADDYFILE, "Caddyfile", user).unwrap(),
        EtcdConfig::from_env_with(lookup(&CONFIG_ENV)).unwrap(),
        configured().build().unwrap(),
    ] {
        let settings = config.settings();
        let is_complete = |setting: &ConfigSetting| setting.value().is_some() && setting.origin().is_some();
        assert!(settings.iter().all(is_complete), "{settings:#?}");
        assert!(!format!("{settings:?}").contains("hunter2"));
    }
}
