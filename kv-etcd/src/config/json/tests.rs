use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::ConfigProblem;

fn problem(text: &str) -> String {
    let error = read(text).unwrap_err();
    let problems = error.problems();
    assert_eq!(problems.len(), 1, "{error}");
    problems[0].to_string()
}

#[test]
fn an_empty_object_means_the_defaults() {
    let defaults = EtcdConfig::new([EtcdConfig::DEFAULT_ENDPOINT]).unwrap();
    assert_eq!(read("{}"), Ok(defaults.clone()));
    assert_eq!(read(r#"{"tls": {}, "auth": {}, "connection": {}}"#), Ok(defaults));
}

#[test]
fn endpoints_are_a_list_or_a_text() {
    for text in [
        r#"{"endpoints": ["http://a:1", "http://b:2"]}"#,
        r#"{"endpoints": "http://a:1,http://b:2"}"#,
        r#"{"endpoints": "http://a:1; http://b:2"}"#,
        r#"{"endpoints": ["http://a:1,http://b:2"]}"#,
    ] {
        assert_eq!(read(text).unwrap().endpoints(), ["http://a:1", "http://b:2"], "{text}");
    }
    assert_eq!(problem(r#"{"endpoints": []}"#), "endpoints: none given");
    assert!(problem(r#"{"endpoints": ["http://a:1", 5]}"#).contains("something else than texts"));
    assert!(problem(r#"{"endpoints": true}"#).contains("no list of URLs"));
    assert!(problem(r#"{"endpoints": "http://a:1,"}"#).contains("no scheme"));
}

#[test]
fn durations_are_texts_of_go_or_nanoseconds() {
    let timeout = |value: &str| read(&format!("{{\"lock_timeout\": {value}}}")).map(|c| c.lock_timeout());
    assert_eq!(timeout("\"1h15m30.5s\""), Ok(Duration::from_millis(4_530_500)));
    assert_eq!(timeout("1500000000"), Ok(Duration::from_millis(1_500)));
    for (value, reason) in [
        ("\"5\"", "lock_timeout: \"5\" is no duration: a unit is missing"),
        ("\"\"", "it is empty"),
        ("999999999", "999.999999ms is less than 1s"),
        ("-5000000000", "-5000000000 ns is less than 1s"),
        ("\"-5s\"", "\"-5s\" is less than 1s"),
        ("18446744073709551615", "too long"),
        ("1e9", "a number with a fraction"),
        ("true", "no duration"),
        ("null", "it is null"),
        ("{}", "it is an object"),
    ] {
        let problem = problem(&format!("{{\"lock_timeout\": {value}}}"));
        assert!(problem.contains(reason), "{value}: {problem}");
    }
}

#[test]
fn unknown_and_repeated_fields_are_refused() {
    for (text, expected) in [
        (r#"{"key_prefx": "/a"}"#, "JSON: unknown field \"key_prefx\"; known are endpoints, key_prefix, "),
        (
            r#"{"tls": {"crt": "/a"}}"#,
            "tls: unknown field \"crt\"; known are cert, key, ca, server_name, skip_verify",
        ),
        (r#"{"dial_timeout": "5s"}"#, "JSON: unknown field \"dial_timeout\""),
        (r#"{"tls.cert": "/a"}"#, "JSON: unknown field \"tls.cert\""),
        (r#"{"tls": {"tls": {}}}"#, "tls: unknown field \"tls\""),
        (r#"{"key_prefix": "/a", "key_prefix": "/b"}"#, "key_prefix: it is given twice"),
        (r#"{"tls": {}, "tls": {}}"#, "tls: it is given twice"),
        (
            r#"{"connection": {"max_txn_ops": 1, "max_txn_ops": 2}}"#,
            "connection.max_txn_ops: it is given twice",
        ),
        (r#"{"auth": "root"}"#, "auth: it is no object"),
        ("[]", "JSON: it is no object"),
        ("{", "JSON: EOF while parsing an object at line 1 column 1"),
        ("", "JSON: EOF"),
    ] {
        let problem = problem(text);
        assert!(problem.starts_with(expected), "{text}: {problem}");
    }
}

#[test]
fn all_that_is_wrong_is_said_at_once_with_its_path() {
    let error = read(
        r#"{"endpoints": "localhost:2379", "key_prefix": "", "lock_timeout": "1ms", "disable_caddyfile_load": "no",
            "tls": {"cert": 5, "skip_verify": 1}, "auth": {"password": "p"},
            "connection": {"request_timeout": "x", "max_request_bytes": -1, "max_txn_ops": 0}, "more": 1}"#,
    );
    let error = error.unwrap_err();
    let mut origins: Vec<_> = error.problems().iter().map(ConfigProblem::origin).collect();
    origins.sort_unstable();
    let expected = [
        "JSON",
        "auth.password",
        "connection.max_request_bytes",
        "connection.max_txn_ops",
        "connection.request_timeout",
        "disable_caddyfile_load",
        "endpoints",
        "key_prefix",
        "lock_timeout",
        "tls.cert",
        "tls.cert",
        "tls.skip_verify",
    ];
    assert_eq!(origins, expected);
}

#[test]
fn what_is_written_is_read_as_the_same_unless_it_holds_a_secret() {
    let config = EtcdConfig::builder(["https://a:1", "http://b:2"])
        .with_tls_ca("/ca.pem")
        .with_caddyfile("/Caddyfile")
        .with_lock_timeout(Duration::from_millis(1_500));
    let written = config.clone().build().unwrap().to_redacted_json();
    assert_eq!(read(&written), config.clone().build());
    assert!(written.contains("\"1.5s\"") && !written.contains("username"), "{written}");
    let config = config.with_username("root").with_password("hunter2").build().unwrap();
    let written = config.to_redacted_json();
    assert!(written.contains("\"[redacted]\"") && !written.contains("hunter2"), "{written}");
    assert_eq!(problem(&written), "auth.password: it was redacted; give the real one");
}

proptest! {
    #[test]
    fn no_text_panics(text in ".*", near in r#"([\[\]{}",: 0-9.e-]|null|true|"tls"|"endpoints"|"lock_timeout"){0,40}"#) {
        let _ = (read(&text), read(&near));
    }
}
