use bad_input::bolero::{Driver, ValueGenerator};
use bad_input::{Choice, Seen, Texts, Verdict, fuzz, one_line};
use kv_etcd::EtcdConfig;
use storage_core::KeyPrefix;

use crate::store_url::{EXAMPLES, Store};

#[test]
fn a_url_names_the_store_that_it_spells() {
    let mut seen = Seen::default();
    fuzz!(Urls, |url: &Url| {
        let parsed = url.text.parse::<Store>();
        if let Some(meaning) = &url.meaning {
            let expected = meaning.expected();
            assert_eq!(parsed.as_ref().ok(), expected.as_ref(), "{parsed:?}");
        }
        check_shown(url);
        match &parsed {
            Ok(store) => check_store(store, &mut seen),
            Err(error) => {
                let message = error.to_string();
                assert!(one_line(&message) && message.ends_with(EXAMPLES), "{message:?}");
                assert!(!format!("{error:?}{message}").contains(PASSWORD), "{message:?}");
            }
        }
        Verdict::of(&parsed)
    });
}

/// A URL, or something near one.
#[derive(Debug)]
struct Url {
    text: String,
    /// What it was put together from, if nothing was done to it since.
    meaning: Option<Meaning>,
    /// A host that is right, and a prefix that may be: for stores that no URL was given for.
    host: &'static str,
    prefix: String,
}

/// What a URL says: the scheme of its endpoints, hosts with ports, and a prefix.
#[derive(Debug)]
struct Meaning {
    scheme: Option<&'static str>,
    hosts: Vec<Option<&'static str>>,
    prefix: String,
}

const PASSWORD: &str = "hunter2";

/// What stands before the hosts, and the scheme of the endpoints.
const SCHEMES: [(&str, Option<&str>); 12] = [
    ("etcd://", Some("http")),
    ("etcd://", Some("http")),
    ("etcd://", Some("http")),
    ("etcd://", Some("http")),
    ("etcds://", Some("https")),
    ("etcds://", Some("https")),
    ("ETCD://", None),
    ("etcds://", Some("https")),
    ("etcd:", None),
    ("http://", None),
    ("", None),
    ("://", None),
];

/// Hosts as they are written, with the port that they then have.
const HOSTS: [(&str, Option<&str>); 28] = [
    ("a", Some("a:2379")),
    ("b", Some("b:2379")),
    ("a:1", Some("a:1")),
    ("a:2379", Some("a:2379")),
    ("127.0.0.1", Some("127.0.0.1:2379")),
    ("[::1]", Some("[::1]:2379")),
    ("[::1]:3", Some("[::1]:3")),
    ("[::ffff:1.2.3.4]:65535", Some("[::ffff:1.2.3.4]:65535")),
    ("etcd-0.svc_x", Some("etcd-0.svc_x:2379")),
    ("", None),
    (":1", None),
    ("a:", None),
    ("a:0", None),
    ("a:65536", None),
    ("a:x", None),
    ("a:+1", None),
    ("a:1:2", None),
    ("::1", None),
    ("[::g]", None),
    ("[::1", None),
    ("::1]:1", None),
    ("[::1]1", None),
    ("[fe80::1%25lo]", None),
    ("a b", None),
    ("a%20", None),
    ("日本", None),
    ("a\n", None),
    ("a\\b", None),
];

/// So many of [`HOSTS`] are right.
const RIGHT_HOSTS: usize = 9;

struct Urls;

impl ValueGenerator for Urls {
    type Output = Url;

    fn generate<D: Driver>(&self, driver: &mut D) -> Option<Url> {
        let (start, scheme) = *driver.pick(&SCHEMES)?;
        let are_right = !driver.once_in(4)?;
        let known = if are_right { &HOSTS[..RIGHT_HOSTS] } else { &HOSTS[..] };
        let count = driver.number(1..=3)?;
        let hosts: Vec<(&str, Option<&str>)> =
            (0..count).map(|_| driver.pick(known).copied()).collect::<Option<_>>()?;
        let prefix = match driver.number(0..=3)? {
            0 => (*driver.pick(&["", "/", "//", "/caddy", "/caddy/", "/caddy-prod", "/a/data"])?).to_owned(),
            _ => format!("/{}", Texts.generate(driver)?.trim_start_matches('/')),
        };
        let written: Vec<&str> = hosts.iter().map(|(host, _)| *host).collect();
        let mut text = format!("{start}{}{prefix}", written.join(","));
        let meaning = match driver.number(0..=15)? {
            0 => {
                // A user and a password, wherever they are put.
                let at = driver.number(0..=start.len() + 1)?.min(text.len());
                text.insert_str(at.min(start.len()), &format!("root:{PASSWORD}@"));
                None
            }
            1 => {
                text = Texts.generate(driver)?;
                None
            }
            2 => {
                text = format!("memory:{}", driver.pick(&["", "", "//", "x", "\0"])?);
                None
            }
            3 => {
                let slashes = driver.pick(&["", "", "/", "//", "///"])?;
                text = format!("sqlite:{slashes}{}", Texts.generate(driver)?);
                None
            }
            _ => Some(Meaning {
                scheme,
                hosts: hosts.iter().map(|(_, host)| *host).collect(),
                prefix: prefix.clone(),
            }),
        };
        let host = hosts.iter().find_map(|(_, host)| *host).unwrap_or("a:1");
        Some(Url { text, meaning, host, prefix })
    }
}

impl Meaning {
    /// The store that the URL names, if it is one.
    fn expected(&self) -> Option<Store> {
        let scheme = self.scheme?;
        let hosts: Vec<&str> = self.hosts.iter().copied().collect::<Option<_>>()?;
        let endpoints = hosts.iter().map(|host| format!("{scheme}://{host}"));
        let prefix = match self.prefix.as_str() {
            "" | "/" => "/caddy",
            prefix if prefix.contains(['@', '?', '#']) => return None,
            prefix => prefix,
        };
        // How prefixes are read has a target of its own.
        let prefix = KeyPrefix::parse(prefix).ok()?;
        EtcdConfig::builder(endpoints).with_prefix(prefix.as_str()).build().ok().map(Store::from)
    }
}

/// A store that was read from a URL is shown as one that names it; none is shown as another.
fn check_store(store: &Store, seen: &mut Seen) {
    let shown = store.to_string();
    assert_eq!(shown.parse::<Store>().as_ref(), Ok(store), "{shown:?}");
    if let Store::Sqlite(file) = store {
        assert!(!shown.contains(char::is_control) && file.file_name().is_some(), "{shown:?}");
        assert!(!shown.starts_with("sqlite://"), "{shown:?} may be read as the name of a host");
    }
    if let Store::Etcd(config) = store {
        let options = config.storage_options();
        let tree = options.prefix.as_str();
        assert_eq!(config.prefix().trim_end_matches('/'), tree, "the client's rights end at the prefix");
        assert!(tree.is_empty() || tree.starts_with('/'));
        assert!(!tree.split('/').skip(1).any(|name| ["", ".", ".."].contains(&name)), "{tree:?} climbs");
        seen.note(&shown, (config.endpoints(), tree));
        seen.note((config.endpoints(), tree), &shown);
    }
}

/// A store that was configured in another way may have no URL; what is shown never names another store.
fn check_shown(url: &Url) {
    for scheme in ["http", "https"] {
        let endpoint = format!("{scheme}://{}", url.host);
        let config = EtcdConfig::builder([endpoint]).with_prefix(url.prefix.as_str()).build();
        let Ok(store) = config.map(Store::from) else { continue };
        let shown = store.to_string();
        assert!(one_line(&shown) || !one_line(&url.prefix), "{shown:?}");
        match shown.parse::<Store>() {
            Ok(named) => assert_eq!(named, store, "{shown:?}"),
            Err(error) => assert!(shown.contains(['@', '?', '#']), "{error}"),
        }
    }
}
