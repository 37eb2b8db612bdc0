use bytes::Bytes;

use super::KeyPrefix;
use crate::error::{Error, ErrorKind, Result};
use crate::kv::{Key, KeyRange, Op};
use crate::path::FilePath;
use crate::record::{Deletion, WriteId};

/// The value of the format key: the version of the keyspace that this library reads and writes.
const FORMAT: &str = "1";

/// Where the parts of a tree lie below its prefix.
///
/// | key | value |
/// |---|---|
/// | `<prefix>/format` | [`FORMAT`] |
/// | `<prefix>/data/<path>` | a file's bytes, as they are |
/// | `<prefix>/meta/<path>` | its metadata record |
/// | `<prefix>/deleted` | the record of the last deletion |
/// | `<prefix>/lock/<escaped name>/<session>-<number>` | a place in the queue of a lock |
/// | `<prefix>/session/<session>` | the record of a session |
///
/// Different first components keep file names from ever meeting metadata or locks. A path has no empty components, so
/// `<path>/` is the beginning of exactly the keys below it.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    prefix: KeyPrefix,
}

impl Layout {
    pub(crate) fn new(prefix: KeyPrefix) -> Self {
        Self { prefix }
    }

    pub(crate) fn prefix(&self) -> &KeyPrefix {
        &self.prefix
    }

    pub(crate) fn format(&self) -> Key {
        Key::new(format!("{}/format", self.prefix))
    }

    pub(crate) fn format_value() -> Bytes {
        Bytes::from_static(FORMAT.as_bytes())
    }

    /// Refuses a tree whose format key has another value than ours.
    pub(crate) fn check_format(value: &[u8]) -> Result<()> {
        if value == FORMAT.as_bytes() {
            return Ok(());
        }
        let found: String = String::from_utf8_lossy(value).chars().take(32).collect();
        Err(Error::new(ErrorKind::Unsupported)
            .with_detail(format!("the tree is of format {found:?}, this library knows {FORMAT:?}")))
    }

    /// Where the last deletion of files has left its record. It is never deleted.
    pub(crate) fn deletions(&self) -> Key {
        Key::new(format!("{}/deleted", self.prefix))
    }

    /// What belongs to every transaction that deletes files.
    pub(crate) fn record_deletion(&self, write: WriteId) -> Op {
        Op::Put { key: self.deletions(), value: Deletion { write }.encode(), lease: None }
    }

    pub(crate) fn data(&self, path: &FilePath) -> Key {
        Key::new(format!("{}/data/{path}", self.prefix))
    }

    pub(crate) fn meta(&self, path: &FilePath) -> Key {
        Key::new(format!("{}/meta/{path}", self.prefix))
    }

    /// The contents of all files below a path.
    pub(crate) fn data_below(&self, path: &FilePath) -> KeyRange {
        KeyRange::prefix(with_slash(format!("{}/data/{path}", self.prefix)))
    }

    /// The metadata of all files below a path.
    pub(crate) fn meta_below(&self, path: &FilePath) -> KeyRange {
        KeyRange::prefix(with_slash(format!("{}/meta/{path}", self.prefix)))
    }

    /// The path of a metadata key, as it is spelled there; `None` for a key that is not one.
    pub(crate) fn spelling<'k>(&self, meta: &'k Key) -> Option<&'k str> {
        let path = meta.as_bytes().strip_prefix(self.prefix.as_str().as_bytes())?.strip_prefix(b"/meta/")?;
        std::str::from_utf8(path).ok()
    }

    /// The file whose metadata key this is; `None` for a key that no path is mapped to, whoever put it there.
    pub(crate) fn file(&self, meta: &Key) -> Option<FilePath> {
        let spelling = self.spelling(meta)?;
        FilePath::parse(spelling).ok().filter(|path| !path.is_root() && path.as_str() == spelling)
    }
}

fn with_slash(mut key: String) -> String {
    if !key.ends_with('/') {
        key.push('/');
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn layout() -> Layout {
        Layout::new(KeyPrefix::default())
    }

    fn path(path: &str) -> FilePath {
        FilePath::parse(path).unwrap()
    }

    #[test]
    fn the_keys_of_a_file_are_fixed() {
        assert_eq!(layout().format(), Key::new("/caddy/format"));
        assert_eq!(layout().data(&path("a/b.crt")), Key::new("/caddy/data/a/b.crt"));
        assert_eq!(layout().meta(&path("a/b.crt")), Key::new("/caddy/meta/a/b.crt"));
        let whole_store = Layout::new(KeyPrefix::parse("/").unwrap());
        assert_eq!(whole_store.data(&path("a")), Key::new("/data/a"));
    }

    #[test]
    fn the_range_below_a_path_covers_neither_itself_nor_its_namesakes() {
        let below = layout().meta_below(&path("foo"));
        assert_eq!(below, KeyRange::new(Key::new("/caddy/meta/foo/"), Key::new("/caddy/meta/foo0")));
        assert!(below.contains(&layout().meta(&path("foo/bar"))));
        assert!(
            !below.contains(&layout().meta(&path("foo"))) && !below.contains(&layout().meta(&path("foobar")))
        );
        assert!(layout().meta_below(&FilePath::root()).contains(&layout().meta(&path("foo"))));
    }

    #[test]
    fn foreign_keys_are_no_files() {
        for key in
            ["/caddy/meta/a//b", "/caddy/meta/", "/caddy/meta/a/", "/caddy/data/a", "/caddy-prod/meta/a", "x"]
        {
            assert_eq!(layout().file(&Key::new(key)), None, "{key}");
        }
        assert_eq!(layout().file(&Key::new(&b"/caddy/meta/\xff"[..])), None);
    }

    proptest! {
        #[test]
        fn a_file_is_found_again_by_its_key(spelling in "[a-c./ä0-]{1,12}") {
            if let Ok(path) = FilePath::parse(&spelling) && !path.is_root() {
                prop_assert_eq!(layout().file(&layout().meta(&path)), Some(path));
            }
        }
    }
}
