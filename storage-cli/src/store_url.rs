//! Where the tree is: the store that a URL or a configuration names.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use kv_etcd::EtcdConfig;
use storage_core::KeyPrefix;

/// A store that the command can open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    /// A store of this process, empty at first and gone with it.
    Memory,
    /// A file of this machine.
    Sqlite(PathBuf),
    /// An etcd cluster, and the prefix of the tree in it.
    Etcd(Box<EtcdConfig>),
}

/// What a store URL looks like, for those who have given none or a wrong one.
pub(crate) const EXAMPLES: &str =
    "a store is etcd://host:port[,host:port...][/prefix], etcds:// with TLS, sqlite:FILE, or memory:";

/// What names a file as the store.
pub(crate) const SQLITE: &str = "sqlite:";

const KNOWN: &str = "known are etcd, etcds, sqlite and memory";

const DEFAULT_PORT: &str = "2379";

/// What stands for a tree without a prefix. A single slash may end any URL, and gives no prefix.
const WHOLE_STORE: &str = "//";

/// Why a text is no store URL. Its `Display` never repeats what may be a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InvalidStoreUrl(String);

impl fmt::Display for InvalidStoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {EXAMPLES}", self.0)
    }
}

impl From<EtcdConfig> for Store {
    fn from(config: EtcdConfig) -> Self {
        Self::Etcd(Box::new(config))
    }
}

impl FromStr for Store {
    type Err = InvalidStoreUrl;

    fn from_str(url: &str) -> Result<Self, InvalidStoreUrl> {
        if let Some(file) = url.strip_prefix(SQLITE) {
            return sqlite(file).map_err(|reason| InvalidStoreUrl(format!("store URL {url:?}: {reason}")));
        }
        // Before anything that quotes the URL.
        if url.contains('@') {
            return Err(InvalidStoreUrl(
                "store URLs with a user name or a password are not supported".to_owned(),
            ));
        }
        if url.contains(['?', '#']) {
            return Err(InvalidStoreUrl(
                "store URLs have no options after ? or #, but ?layout=native and ?layout=caddy-etcd"
                    .to_owned(),
            ));
        }
        let wrong = |reason: String| InvalidStoreUrl(format!("store URL {url:?}: {reason}"));
        match url.split_once(':') {
            Some(("memory", "")) => Ok(Self::Memory),
            Some(("memory", _)) => Err(wrong("nothing follows memory:".to_owned())),
            Some(("etcd", rest)) => etcd("http", rest).map_err(wrong),
            Some(("etcds", rest)) => etcd("https", rest).map_err(wrong),
            Some((scheme, rest)) if rest.starts_with("//") => {
                Err(wrong(format!("unknown scheme {scheme:?}, {KNOWN}")))
            }
            _ => Err(wrong(format!("it has no scheme, {KNOWN}"))),
        }
    }
}

/// As the URL that says the same of where the store is, if there is one. Other settings are not shown.
impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = match self {
            Self::Memory => return f.write_str("memory:"),
            Self::Sqlite(file) => return write!(f, "{SQLITE}{}", file.display()),
            Self::Etcd(config) => config,
        };
        let hosts_with = |scheme| {
            let hosts = config.endpoints().iter().map(|url| url.trim_end_matches('/').strip_prefix(scheme));
            hosts.collect::<Option<Vec<_>>>().map(|hosts| hosts.join(","))
        };
        let prefix = match config.prefix() {
            "/" => WHOLE_STORE,
            prefix => prefix,
        };
        match (hosts_with("http://"), hosts_with("https://")) {
            (Some(hosts), _) => write!(f, "etcd://{hosts}{prefix}"),
            (None, Some(hosts)) => write!(f, "etcds://{hosts}{prefix}"),
            // Of some members it is known that they are reached with TLS, of others that they are not.
            (None, None) => write!(f, "{}{}", config.endpoints().join(","), config.prefix()),
        }
    }
}

/// Reads what follows the colon of the URL of a file: its path as it is, absolute or from the current directory.
fn sqlite(file: &str) -> Result<Store, String> {
    let absolute = file.strip_prefix("//").filter(|rest| rest.starts_with('/'));
    match absolute.unwrap_or(file) {
        "" => Err("the path of a file is missing".to_owned()),
        ":memory:" => Err("a store that is gone with the command is memory:".to_owned()),
        rest if rest.starts_with("//") => Err("there is no host: the path follows the colon".to_owned()),
        rest if rest.contains(['?', '#']) => {
            Err("a path with ? or # cannot stand in a URL, which has no options either".to_owned())
        }
        rest if rest.contains(char::is_control) => Err("it contains a control character".to_owned()),
        rest if rest.ends_with('/') || Path::new(rest).file_name().is_none() => {
            Err("it names a directory; name a file".to_owned())
        }
        rest => Ok(Store::Sqlite(rest.into())),
    }
}

/// Reads what follows the colon of a URL, for endpoints with this scheme.
fn etcd(scheme: &str, rest: &str) -> Result<Store, String> {
    let rest = rest.strip_prefix("//").ok_or("two slashes follow the colon")?;
    let (hosts, prefix) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, ""),
    };
    let endpoints: Vec<String> =
        hosts.split(',').map(|host| endpoint(scheme, host)).collect::<Result<_, _>>()?;
    let prefix = match prefix {
        "" | "/" => KeyPrefix::default(),
        prefix => KeyPrefix::parse(prefix).map_err(|error| error.to_string())?,
    };
    let config = EtcdConfig::builder(endpoints).with_prefix(prefix.as_str()).build();
    config.map(Store::from).map_err(|error| error.to_string())
}

/// The endpoint of one `host`, `host:port`, `[address]` or `[address]:port`.
fn endpoint(scheme: &str, host: &str) -> Result<String, String> {
    let (name, port) = match host.rsplit_once(':') {
        // A colon within the brackets of an IPv6 address begins no port.
        Some((name, port)) if !port.ends_with(']') => (name, port),
        _ => (host, DEFAULT_PORT),
    };
    match name {
        "" => Err("a host is missing".to_owned()),
        name if name.contains(':') && !name.starts_with('[') => {
            Err(format!("an IPv6 address stands in brackets, as in [{host}]:{DEFAULT_PORT}"))
        }
        name => Ok(format!("{scheme}://{name}:{port}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> (Vec<String>, String) {
        match url.parse().unwrap() {
            Store::Etcd(config) => {
                let prefix = config.storage_options().prefix.to_string();
                assert_eq!(config.prefix(), prefix, "the client's rights end at the prefix");
                (config.endpoints().to_vec(), prefix)
            }
            other => panic!("{url} is {other:?}"),
        }
    }

    #[test]
    fn etcd_urls_name_hosts_and_a_prefix() {
        for (url, endpoints, prefix) in [
            ("etcd://127.0.0.1:2379", vec!["http://127.0.0.1:2379"], "/caddy"),
            ("etcd://a:1/", vec!["http://a:1"], "/caddy"),
            ("etcd://a", vec!["http://a:2379"], "/caddy"),
            (
                "etcd://a:1,b,[::1]:3,[::2]/my/tree/",
                vec!["http://a:1", "http://b:2379", "http://[::1]:3", "http://[::2]:2379"],
                "/my/tree",
            ),
            ("etcds://a,[::1]:3/x", vec!["https://a:2379", "https://[::1]:3"], "/x"),
        ] {
            assert_eq!(
                parsed(url),
                (endpoints.into_iter().map(str::to_owned).collect(), prefix.to_owned()),
                "{url}"
            );
        }
        assert_eq!("memory:".parse(), Ok(Store::Memory));
    }

    #[test]
    fn what_follows_sqlite_is_the_path_of_a_file() {
        for (url, file) in [
            ("sqlite:kvfs.db", "kvfs.db"),
            ("sqlite:../a b/100%.db", "../a b/100%.db"),
            ("sqlite:/var/lib/kvfs.db", "/var/lib/kvfs.db"),
            ("sqlite:///var/lib/kvfs.db", "/var/lib/kvfs.db"),
            ("sqlite:mail@example.org", "mail@example.org"),
        ] {
            let parsed: Store = url.parse().unwrap();
            assert_eq!(parsed, Store::Sqlite(file.into()), "{url}");
            assert_eq!(parsed.to_string(), format!("sqlite:{file}"));
        }
    }

    #[test]
    fn a_url_is_shown_as_it_can_be_given() {
        for (url, shown) in [
            ("memory:", "memory:"),
            ("etcd://a,b:1", "etcd://a:2379,b:1/caddy"),
            ("etcd://[::1]/x", "etcd://[::1]:2379/x"),
            ("etcds://a:1,b/x/", "etcds://a:1,b:2379/x"),
            ("etcd://a:1/", "etcd://a:1/caddy"),
            ("etcd://a:1//", "etcd://a:1//"),
        ] {
            let parsed: Store = url.parse().unwrap();
            assert_eq!(parsed.to_string(), shown);
            assert_eq!(shown.parse(), Ok(parsed));
        }
    }

    #[test]
    fn a_store_of_a_configuration_is_shown_as_a_url_or_with_its_endpoints() {
        let mixed = EtcdConfig::builder(["http://a:1", "https://b:2"]).with_prefix("/").build().unwrap();
        assert_eq!(Store::from(mixed).to_string(), "http://a:1,https://b:2/");
        let whole = EtcdConfig::builder(["http://a:1"]).with_prefix("/").build().unwrap();
        assert_eq!("etcd://a:1//".parse(), Ok(Store::from(whole)));
        let slash = EtcdConfig::new(["http://a:1/"]).unwrap();
        assert_eq!(Store::from(slash).to_string(), "etcd://a:1/caddy");
    }

    #[test]
    fn wrong_urls_are_refused_with_the_reason_and_what_a_url_looks_like() {
        for (url, reason) in [
            ("", "no scheme"),
            ("127.0.0.1:2379", "no scheme"),
            ("localhost", "no scheme"),
            ("http://127.0.0.1:2379", "unknown scheme \"http\", known are etcd, etcds, sqlite and memory"),
            ("postgres://x", "unknown scheme \"postgres\""),
            ("sqlite:", "path of a file is missing"),
            ("sqlite:///", "names a directory"),
            ("sqlite:dir/", "names a directory"),
            ("sqlite:dir/..", "names a directory"),
            ("sqlite://host/x", "no host"),
            ("sqlite::memory:", "is memory:"),
            ("sqlite:a?mode=ro", "no options"),
            ("sqlite:a#b", "? or #"),
            ("sqlite:a\nb", "control character"),
            ("Sqlite:x", "no scheme"),
            ("ETCD://a", "unknown scheme"),
            ("memory://", "nothing follows"),
            ("memory:x", "nothing follows"),
            ("etcd:a:1", "two slashes"),
            ("etcds:a:1", "two slashes"),
            ("etcds://a:0", "no port"),
            ("etcd://", "host is missing"),
            ("etcd:///prefix", "host is missing"),
            ("etcd://a,,b", "host is missing"),
            ("etcd://:2379", "host is missing"),
            ("etcd://a:", "no port"),
            ("etcd://a:0", "no port"),
            ("etcd://a:65536", "no port"),
            ("etcd://a:x", "no port"),
            ("etcd://::1", "brackets"),
            ("etcd://[::g]:1", "no host name"),
            ("etcd://a b:1", "no host name"),
            ("etcd://a/x//y", "empty component"),
            ("etcd://a/../y", "\"..\""),
            ("etcd://a?timeout=1s", "no options"),
        ] {
            let error = url.parse::<Store>().unwrap_err().to_string();
            assert!(error.contains(reason), "{url}: {error} should contain {reason}");
            assert!(error.ends_with(EXAMPLES) && !error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn a_password_is_not_repeated() {
        for url in ["etcd://root:hunter2@host", "x://hunter2@h", "hunter2@host", "etcd://a?password=hunter2"]
        {
            let error = url.parse::<Store>().unwrap_err();
            assert!(!format!("{error}{error:?}").contains("hunter2"), "{error}");
        }
    }
}
