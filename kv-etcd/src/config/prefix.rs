/// A prefix as caddy-etcd stores it: with slashes for backslashes, one slash in front and none at the end, and without
/// components that say nothing. Like Go's `path.Clean`, except that `..` beyond the root is refused.
pub(super) fn clean(prefix: &str) -> Result<String, &'static str> {
    if prefix.chars().any(char::is_control) {
        return Err("it holds a control character");
    }
    let mut components = Vec::new();
    for component in prefix.split(['/', '\\']) {
        match component {
            "" | "." => {}
            ".." => {
                components.pop().ok_or("it climbs out of the root with \"..\"")?;
            }
            component => components.push(component),
        }
    }
    Ok(format!("/{}", components.join("/")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use storage_core::KeyPrefix;

    use super::clean;

    #[test]
    fn prefixes_are_cleaned_as_caddy_etcd_cleans_them() {
        for (given, cleaned) in [
            ("/caddy", "/caddy"),
            ("caddy", "/caddy"),
            ("/caddy/", "/caddy"),
            ("//a//b/./c//", "/a/b/c"),
            ("/a/b/../c", "/a/c"),
            ("a\\b\\..\\c", "/a/c"),
            ("/", "/"),
            ("", "/"),
            ("/a/..", "/"),
            ("/...", "/..."),
        ] {
            assert_eq!(clean(given).as_deref(), Ok(cleaned), "{given}");
        }
    }

    #[test]
    fn prefixes_that_climb_out_are_refused() {
        for prefix in ["..", "/..", "/a/../..", "a\\..\\..\\b", "/../a"] {
            assert!(clean(prefix).unwrap_err().contains("climbs out"), "{prefix}");
        }
        assert!(clean("a\nb").unwrap_err().contains("control character"));
    }

    proptest! {
        #[test]
        fn what_is_cleaned_is_clean_and_the_prefix_of_a_tree(prefix in "([ab./\\\\]|\\.\\.|.){0,20}") {
            if let Ok(cleaned) = clean(&prefix) {
                prop_assert_eq!(clean(&cleaned), Ok(cleaned.clone()));
                prop_assert!(KeyPrefix::parse(&cleaned).is_ok(), "{}", cleaned);
            }
        }
    }
}
