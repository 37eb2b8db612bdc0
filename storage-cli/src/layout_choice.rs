//! The layout that a store URL asks for: `?layout=native` or `?layout=caddy-etcd` behind it.

use storage_core::{LayoutChoice, LayoutKind};

use crate::store_url::SQLITE;

const OPTION: &str = "?layout=";

/// Takes the layout out of a store URL; what lies in the tree decides if there is none. The rest is for who reads URLs.
pub(crate) fn split(url: &str) -> Result<(String, LayoutChoice), String> {
    // What may hold a password is not looked at any further, nor repeated; the path of a file has no options behind it.
    let has_options = !url.contains('@') && !url.starts_with(SQLITE);
    let Some((rest, name)) = url.split_once(OPTION).filter(|_| has_options) else {
        return Ok((url.to_owned(), LayoutChoice::Detect));
    };
    let kind: LayoutKind = name
        .parse()
        .map_err(|_| format!("store URL {url:?}: {name:?} is no layout, known are native and caddy-etcd"))?;
    Ok((rest.to_owned(), kind.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_taken_out_of_a_url() {
        for (url, rest, choice) in [
            ("memory:", "memory:", LayoutChoice::Detect),
            ("etcd://a/x?layout=caddy-etcd", "etcd://a/x", LayoutKind::CaddyEtcd.into()),
            ("etcds://a,b:1?layout=native", "etcds://a,b:1", LayoutKind::Native.into()),
            ("sqlite:a?layout=native", "sqlite:a?layout=native", LayoutChoice::Detect),
            ("etcd://a?timeout=1s", "etcd://a?timeout=1s", LayoutChoice::Detect),
            ("etcd://u:p@a?layout=x", "etcd://u:p@a?layout=x", LayoutChoice::Detect),
        ] {
            assert_eq!(split(url), Ok((rest.to_owned(), choice)), "{url}");
        }
        for url in [
            "memory:?layout=",
            "etcd://a?layout=go",
            "etcd://a?layout=native&x=1",
            "etcd://a?layout=native#x",
        ] {
            assert!(split(url).unwrap_err().contains("is no layout"), "{url}");
        }
    }
}
