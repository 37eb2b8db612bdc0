use std::net::Ipv6Addr;

/// Says what is wrong with an endpoint, if anything is.
pub(super) fn check(endpoint: &str) -> Result<(), String> {
    if endpoint.contains('@') {
        // Not quoted: what stands before the sign may be a password.
        return Err("an endpoint holds a user name; endpoints are http://host:port".to_owned());
    }
    let Some((scheme, rest)) = endpoint.split_once("://") else {
        return Err(format!("{endpoint:?} has no scheme; endpoints are http://host:port"));
    };
    match scheme {
        "http" => {}
        "https" => return Err(format!("{endpoint:?}: https is not supported yet")),
        _ => return Err(format!("{endpoint:?}: the scheme is not http")),
    }
    let Some((host, port)) = rest.strip_suffix('/').unwrap_or(rest).rsplit_once(':') else {
        return Err(format!("{endpoint:?} has no port"));
    };
    if !is_host(host) {
        return Err(format!("{endpoint:?}: {host:?} is no host name or address"));
    }
    let is_port =
        port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port != 0);
    if is_port { Ok(()) } else { Err(format!("{endpoint:?}: {port:?} is no port")) }
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    !host.is_empty() && host.bytes().all(is_of_name)
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn hosts_with_a_scheme_and_a_port_are_accepted() {
        for endpoint in [
            "http://127.0.0.1:2379",
            "http://localhost:1/",
            "http://[::1]:2379",
            "http://etcd-0.etcd.svc:65535",
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
            ("https://127.0.0.1:2379", "not supported yet"),
            ("unix:///run/etcd", "scheme is not http"),
            ("HTTP://host:1", "scheme is not http"),
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
}
