use std::net::Ipv6Addr;

use super::error::quoted;

const RULE: &str = "endpoints are http://host:port or https://host:port";

/// Says what is wrong with an endpoint, if anything is.
pub(super) fn check(endpoint: &str) -> Result<(), String> {
    if endpoint.contains('@') {
        // Not quoted: what stands before the sign may be a password.
        return Err(format!("an endpoint holds a user name; {RULE}"));
    }
    let shown = quoted(endpoint);
    // Without a scheme nothing says whether it may be reached in plain text, so it is refused.
    let Some((scheme, rest)) = endpoint.split_once("://") else {
        return Err(format!("{shown} has no scheme; {RULE}"));
    };
    if !matches!(scheme, "http" | "https") {
        return Err(format!("{shown}: the scheme is not http or https; {RULE}"));
    }
    let Some((host, port)) = rest.strip_suffix('/').unwrap_or(rest).rsplit_once(':') else {
        return Err(format!("{shown} has no port; {RULE}"));
    };
    if !is_host(host) {
        return Err(format!("{shown}: {} is no host name or address", quoted(host)));
    }
    let is_port =
        port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port != 0);
    if is_port { Ok(()) } else { Err(format!("{shown}: {} is no port", quoted(port))) }
}

/// Whether connections to an endpoint are encrypted.
pub(crate) fn is_encrypted(endpoint: &str) -> bool {
    endpoint.starts_with("https://")
}

/// Splits endpoints that stand in one text, separated by commas or semicolons. A text with a user name is left whole:
/// its parts might be parts of a password.
pub(super) fn split(text: &str) -> Vec<String> {
    if text.contains('@') {
        return vec![text.to_owned()];
    }
    text.split([',', ';']).map(|endpoint| endpoint.trim().to_owned()).collect()
}

/// Whether a text is the name of a host or, with an IPv6 address in brackets, its address.
pub(super) fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    !host.is_empty() && host.bytes().all(is_of_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_with_a_scheme_and_a_port_are_accepted() {
        for endpoint in [
            "http://127.0.0.1:2379",
            "http://localhost:1/",
            "http://[::1]:2379",
            "http://etcd-0.etcd.svc:65535",
            "https://[::1]:2379",
        ] {
            assert_eq!(check(endpoint), Ok(()));
        }
    }

    #[test]
    fn everything_else_is_refused_with_the_reason() {
        for (endpoint, reason) in [
            ("127.0.0.1:2379", "no scheme"),
            ("localhost", "no scheme"),
            ("", "no scheme"),
            ("https://127.0.0.1", "no port"),
            ("unix:///run/etcd", "scheme is not http or https"),
            ("HTTP://host:1", "scheme is not http or https"),
            ("http://host", "no port"),
            ("http://host:", "no port"),
            ("http://host:0", "no port"),
            ("http://host:65536", "no port"),
            ("http://host:+1", "no port"),
            ("http://host:2379/path", "no port"),
            ("http://:2379", "no host"),
            ("http://::1:2379", "no host"),
            ("http://[::g]:2379", "no host"),
            ("http://a b:1", "no host"),
        ] {
            let problem = check(endpoint).unwrap_err();
            assert!(problem.contains(reason), "{endpoint}: {problem}");
        }
    }

    #[test]
    fn a_password_in_an_endpoint_is_not_repeated() {
        let problem = check("http://user:hunter2@host:2379").unwrap_err();
        assert!(!problem.contains("hunter2"), "{problem}");
    }

    #[test]
    fn endpoints_are_split_at_commas_and_semicolons() {
        assert_eq!(split("http://a:1, http://b:2;http://c:3"), ["http://a:1", "http://b:2", "http://c:3"]);
        assert_eq!(split("http://a:1,"), ["http://a:1", ""], "what is missing must be noticed");
        assert_eq!(split("http://user:hunt,er2@host:1").len(), 1);
    }
}
