use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn environment(name: &str) -> Option<OsString> {
    match name {
        "HOST" => Some("http://h:1".into()),
        "HOSTS" => Some("http://h:1,http://i:2".into()),
        "EMPTY" => Some("".into()),
        "ODD" => Some("a b\n} { \"#`".into()),
        _ => None,
    }
}

fn read(text: &str) -> Result<EtcdConfig, String> {
    let config = super::read(text, "Caddyfile", &environment);
    config.map_err(|error| error.to_string().replace("invalid configuration: ", ""))
}

/// Reads options inside the block, of which the first is in line 2.
fn options(options: &str) -> Result<EtcdConfig, String> {
    read(&format!("storage etcd {{\n{options}\n}}"))
}

fn assert_refused(text: &str, expected: &str) {
    let error = read(text).unwrap_err();
    assert!(error.starts_with(expected), "{text}\n{error}\n{expected}");
}

const REAL: &str = r#"
# Global options come first.
{
	email "admin@example.com" # not ours
	log default {
		output stdout
	}
	storage etcd {
		endpoints https://etcd-1.example.com:2379 \
			https://etcd-2.example.com:2379
		key_prefix /caddy/prod # a comment
		connection {
			request_timeout 10s
		}
	}
	on_demand_tls {
		ask http://localhost:9123/ask
	}
}

(common) {
	encode zstd gzip
	header {
		-Server
		Link "<https://example.com/{path}>; rel=\"canonical\""
	}
	storage etcd {
		nonsense
	}
}

import sites/*.caddy

example.com, www.example.com,
api.example.com {
	import common
	@static path_regexp ^/(css|js)/.*\.(css|js)$
	respond @static `{"a": {"b": "{$UNSET}"}` 404
	respond <<HTML
		<style>body { color: red; </style>
		HTML 200
	reverse_proxy /api/* {env.UNSET_TOO}:8080 {
		header_up Host {upstream_hostport}
	}
}
"#;

#[test]
fn the_block_is_found_in_the_global_options_of_a_real_caddyfile() {
    let config = read(REAL).unwrap();
    assert_eq!(config.endpoints(), ["https://etcd-1.example.com:2379", "https://etcd-2.example.com:2379"]);
    assert_eq!(config.prefix(), "/caddy/prod");
    assert_eq!(config.request_timeout(), Duration::from_secs(10));
    assert_eq!(config, read(&REAL.replace('\n', "\r\n")).unwrap());
    assert_eq!(config, read(&format!("\u{feff}{REAL}")).unwrap());
}

#[test]
fn the_block_can_stand_on_its_own_or_be_left_out() {
    let defaults = EtcdConfig::new([EtcdConfig::DEFAULT_ENDPOINT]).unwrap();
    for text in
        ["storage etcd", "storage etcd {\n}", "{\nstorage etcd\n}", "# first\n\nstorage \"etcd\" {\n}\n\n"]
    {
        assert_eq!(read(text).as_ref(), Ok(&defaults), "{text}");
    }
}

#[test]
fn words_are_read_as_caddy_reads_them() {
    for (written, name) in [
        ("plain", "plain"),
        ("a#b", "a#b"),
        ("a # b", "a"),
        ("a\"b\"", "a\"b\""),
        ("a\\b\\\"", "a\\b\\\""),
        ("\"a b\"", "a b"),
        ("\"a \\\"b\\\" # {\"", "a \"b\" # {"),
        // Only a quote can be escaped.
        ("\"a\\\\\"", "a\\\\"),
        ("\"a\\nb\\\\\\\"c\"", "a\\nb\\\\\"c"),
        ("`a \"b\" \\`", "a \"b\" \\"),
        ("\\\n a", "a"),
        ("\\\r\n a", "a"),
        ("{", "{"),
        ("x{y}", "x{y}"),
        ("{x}", "{x}"),
        ("\"{\"", "{"),
        ("{$NAME:a b}", "a b"),
        ("{$NAME:}x", "x"),
        ("<{$NAME:a}-{env.HOST}>", "<a-http://h:1>"),
        ("\"{$HOST}\"", "http://h:1"),
        ("`{$HOST}`", "http://h:1"),
        ("{$NAME", "{$NAME"),
        ("{$}", "{$}"),
        ("{$A B}", "{$A B}"),
    ] {
        let tokens = lexer::tokens(&format!("{written}\n"), &environment).unwrap();
        let words = tokens.iter().map(|token| match &token.kind {
            lexer::TokenKind::Open => "{",
            lexer::TokenKind::Close => "}",
            lexer::TokenKind::Word(word) => &word.text,
        });
        assert_eq!(words.collect::<Vec<_>>().join(" "), name, "{written}");
    }
}

#[test]
fn the_value_of_a_variable_is_one_argument_whatever_it_holds() {
    let config = options("auth {\nusername root\npassword {$ODD}\n}").unwrap();
    assert_eq!(config.password().unwrap().expose(), "a b\n} { \"#`");
    let config = options("endpoints {$HOSTS} {env.HOST}").unwrap();
    assert_eq!(config.endpoints(), ["http://h:1", "http://i:2", "http://h:1"]);
}

#[test]
fn variables_without_a_value_are_refused_where_they_are_used() {
    for (option, expected) in [
        ("key_prefix {$UNSET}", "Caddyfile:2: key_prefix: the variable \"UNSET\" is not set"),
        ("key_prefix a{env.UNSET}b", "Caddyfile:2: key_prefix: the variable \"UNSET\" is not set"),
        ("key_prefix {$EMPTY}", "Caddyfile:2: key_prefix: it is empty"),
        ("{$UNSET} /a", "Caddyfile:2: the variable \"UNSET\" is not set"),
        ("key_prefix {file./run/prefix}", "Caddyfile:2: key_prefix: {file.*} is not supported here"),
        ("key_prefix <<END\n/a\nEND", "Caddyfile:2: key_prefix: a text over several lines is not supported"),
    ] {
        let error = options(option).unwrap_err();
        assert!(error.starts_with(expected), "{option}: {error}");
    }
}

#[test]
fn flags_stand_alone_or_take_true_or_false() {
    let loading = |option: &str| options(option).map(|config| config.caddyfile_loading());
    assert_eq!(loading("disable_caddyfile_load"), Ok(crate::CaddyfileLoading::Disabled));
    assert_eq!(loading("disable_caddyfile_load true"), Ok(crate::CaddyfileLoading::Disabled));
    assert_eq!(loading("disable_caddyfile_load false"), Ok(crate::CaddyfileLoading::Enabled));
    let error = loading("disable_caddyfile_load yes").unwrap_err();
    assert_eq!(error, "Caddyfile:2: disable_caddyfile_load: \"yes\" is neither true nor false");
}

#[test]
fn what_is_wrong_inside_the_block_is_refused_with_line_and_token() {
    for (text, expected) in [
        ("key_prefx /a", "Caddyfile:2: unknown option \"key_prefx\" in storage etcd; known are endpoints, "),
        ("dial_timeout 5s", "Caddyfile:2: unknown option \"dial_timeout\" in storage etcd"),
        ("tls {\ncrt a\n}", "Caddyfile:3: unknown option \"crt\" in tls; known are cert, key, ca, "),
        ("tls {\ntls {\n}\n}", "Caddyfile:3: unknown option \"tls\" in tls"),
        ("auth {\npasword p\n}", "Caddyfile:3: unknown option in auth; known are username, password"),
        ("key_prefix", "Caddyfile:2: key_prefix: an argument is missing"),
        ("endpoints", "Caddyfile:2: endpoints: an argument is missing"),
        ("key_prefix /a /b", "Caddyfile:2: key_prefix: an argument is superfluous: \"/b\""),
        (
            "disable_caddyfile_load true x",
            "Caddyfile:2: disable_caddyfile_load: an argument is superfluous: \"x\"",
        ),
        ("key_prefix /a {\n}", "Caddyfile:2: key_prefix: it takes no block"),
        (
            "key_prefix /a\nkey_prefix /a",
            "Caddyfile:3: key_prefix: it is given twice, first in Caddyfile:2: key_prefix",
        ),
        ("tls\n", "Caddyfile:2: tls takes a block and no arguments"),
        ("tls x {\n}", "Caddyfile:2: tls takes a block and no arguments"),
        ("tls {\n}\ntls {\n}", "Caddyfile:4: tls is given twice"),
        ("{\n}", "Caddyfile:2: a block without the name of an option"),
        ("tls {\n} key_prefix /a", "Caddyfile:3: key_prefix: an option starts a line of its own"),
        ("tls { cert a\nkey b\n}", "Caddyfile:2: tls.cert: an option starts a line of its own"),
        ("tls {\nskip_verify }", "Caddyfile:3: a closing brace starts a line"),
        ("lock_timeout 5", "Caddyfile:2: lock_timeout: \"5\" is no duration: a unit is missing"),
        ("endpoints http://a:1 b:2", "Caddyfile:2: endpoints: \"b:2\" has no scheme"),
    ] {
        assert_refused(&format!("storage etcd {{\n{text}\n}}"), expected);
    }
}

#[test]
fn what_is_wrong_around_the_block_is_refused_with_the_line() {
    for (text, expected) in [
        ("", "Caddyfile:1: no storage etcd block"),
        ("example.com {\nstorage etcd {\n}\n}", "Caddyfile:1: no storage etcd block"),
        ("{\nimport options\n}", "Caddyfile:1: no storage etcd block"),
        ("\nstorage file_system /data", "Caddyfile:2: the storage is \"file_system\", not etcd"),
        (
            "{\nstorage file_system {\nroot /data\n}\n}",
            "Caddyfile:2: the storage is \"file_system\", not etcd",
        ),
        ("{\nstorage\n}", "Caddyfile:2: storage needs the name of a module"),
        ("storage {$UNSET} {\n}", "Caddyfile:1: the variable \"UNSET\" is not set"),
        ("storage etcd x", "Caddyfile:1: storage has a superfluous argument: \"x\""),
        ("{\nstorage etcd\n}\n\nstorage etcd", "Caddyfile:5: a second storage; the first is in line 2"),
        ("storage etcd\n{\nkey_prefix /a\n}", "Caddyfile:2: a block without a name"),
        ("{\nstorage etcd\n{\nkey_prefix /a\n}\n}", "Caddyfile:3: a block without a name"),
        ("storage etcd {\ntls {\n}", "Caddyfile:1: this opening brace is never closed"),
        ("storage etcd{\n}", "Caddyfile:2: this closing brace closes nothing"),
        ("storage etcd {\n}\n}", "Caddyfile:3: this closing brace closes nothing"),
        ("\nstorage etcd {\nkey_prefix \"/a\n}", "Caddyfile:3: the quote \" is never closed"),
        ("storage etcd {\nkey_prefix `/a\n}", "Caddyfile:2: the quote ` is never closed"),
        ("storage etcd {\nkey_prefix <<END\n}", "Caddyfile:2: the text <<END is never closed"),
    ] {
        assert_refused(text, expected);
    }
}

#[test]
fn all_that_is_wrong_in_the_block_is_said_at_once() {
    let text = "endpoints a\nnonsense\nlock_timeout 1ms\ntls {\ncert /a\nmore\n}\nauth {\nusername root\n}";
    let error = options(text).unwrap_err();
    for expected in [
        "Caddyfile:2: endpoints: ",
        "Caddyfile:3: unknown",
        "Caddyfile:4: lock_timeout: ",
        "Caddyfile:6: tls.cert: it needs tls.key",
        "Caddyfile:7: unknown",
        "Caddyfile:10: auth.username: it needs auth.password",
    ] {
        assert!(error.contains(expected), "{error}\n{expected}");
    }
    assert_eq!(error.matches("Caddyfile:").count(), 6, "{error}");
}

#[test]
fn hostile_files_take_no_unreasonable_time_or_stack() {
    const MANY: usize = 200_000;
    for text in
        ["{\n", "{ ", "} ", "{$", "{env.", "\\\n", "<<A\n", "\"\\", "a {\n"].map(|part| part.repeat(MANY))
    {
        let _ = read(&text);
        let _ = options(&text);
    }
    let nested = "{\n".repeat(MANY) + &"}\n".repeat(MANY);
    assert!(options(&nested).is_err());
}

proptest! {
    #[test]
    fn no_text_panics(
        text in ".*",
        near in r#"([{}"`\\#<$:\n\r ]|\{\$HOST\}|storage|etcd|tls|auth|<<A|endpoints|key_prefix){0,40}"#,
    ) {
        let _ = (read(&text), read(&near), options(&near), read(&format!("{{\n{near}\n}}")));
    }
}
