//! The layout that a store URL asks for: `?layout=native` or `?layout=caddy-etcd` behind it.

use storage_core::{LayoutChoice, LayoutKind};

const OPTION: &str = "?layout=";

/// Takes the layout out of a store URL; what lies in the tree decides if there is none. The rest is for who reads URLs.
pub(crate) fn split(url: &str) -> Result<(String, LayoutChoice), String> {
    // What may hold a password is not looked at any further, nor repeated.
    let Some((before, behind)) = url.split_once(OPTION).filter(|_| !url.contains('@')) else {
        return Ok((url.to_owned(), LayoutChoice::Detect));
    };
    let (name, rest) = behind.find('#').map_or((behind, ""), |at| behind.split_at(at));
    let kind: LayoutKind =
        name.parse().map_err(|_| format!("{name:?} is no layout, known are native and caddy-etcd"))?;
    Ok((format!("{before}{rest}"), kind.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_taken_out_of_a_url() {
        for (url, rest, choice) in [
            ("memory:", "memory:", LayoutChoice::Detect),
            ("etcd://a/x?layout=caddy-etcd", "etcd://a/x", LayoutKind::CaddyEtcd.into()),
            ("etcd://a?layout=native#dir/x", "etcd://a#dir/x", LayoutKind::Native.into()),
            ("etcd://a?timeout=1s", "etcd://a?timeout=1s", LayoutChoice::Detect),
            ("etcd://u:p@a?layout=x", "etcd://u:p@a?layout=x", LayoutChoice::Detect),
        ] {
            assert_eq!(split(url), Ok((rest.to_owned(), choice)), "{url}");
        }
        for url in
            ["memory:?layout=", "etcd://a?layout=go", "etcd://a?layout=native&x=1", "etcd://a?layout=Native"]
        {
            assert!(split(url).unwrap_err().contains("is no layout"), "{url}");
        }
    }
}
