use bytes::Bytes;

use super::parts::without;
use super::{KeyPrefix, LayoutKind};
use crate::error::{Error, ErrorKind, Result};
use crate::kv::{Compare, Get, Key, KeyRange, Op, Projection};
use crate::path::FilePath;
use crate::record::{Deletion, WriteId};
use crate::storage::ONE;

/// Where the parts of a tree lie below its prefix.
///
/// | native | caddy-etcd | value |
/// |---|---|---|
/// | `data/<path>` | `<path>` | a file's bytes; in caddy-etcd their base64 |
/// | `meta/<path>` | `md/<path>` | its metadata record |
/// | `format` | `lock/md//format` | the version of the layout |
/// | `deleted` | `lock/md//deleted` | the record of the last deletion |
/// | `lock/<escaped name>/<session>-<number>` | `lock/md//lock/…` | a place in the queue of a lock |
/// | `session/<session>` | `lock/md//session/…` | the record of a session |
/// | `quarantine/<id>/…` | `lock/md//quarantine/…` | the values of a damaged file that was moved, and why it was |
/// | | `lock/<name>` | a lock, as members that run the Go module see it |
///
/// In the native layout different first components keep file names from ever meeting metadata or locks. In that of
/// caddy-etcd no path may begin with `md` or `lock`. The keys that the Go module does not know have an empty component,
/// which none of its keys has, and lie where it lists nothing.
///
/// A path has no empty components, so `<path>/` is the beginning of exactly the keys below it.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    kind: LayoutKind,
    prefix: KeyPrefix,
    /// What stands before a path in the keys of contents and of metadata, and before the names of all other keys of ours.
    data: Box<str>,
    meta: Box<str>,
    own: Box<str>,
    /// The Go module has a file whose key is that of the native format.
    has_format_file: bool,
}

impl Layout {
    pub(crate) fn new(kind: LayoutKind, prefix: KeyPrefix) -> Self {
        let below = |rest: &str| format!("{prefix}{rest}").into_boxed_str();
        let [data, meta, own] = match kind {
            LayoutKind::Native => [below("/data"), below("/meta"), below("")],
            LayoutKind::CaddyEtcd => [below(""), below("/md"), below("/lock/md/")],
        };
        Self { kind, prefix, data, meta, own, has_format_file: false }
    }

    /// This layout of a tree in which the native format key is a file of the Go module.
    pub(super) fn with_format_file(mut self) -> Self {
        self.has_format_file = true;
        self
    }

    pub(crate) fn kind(&self) -> LayoutKind {
        self.kind
    }

    pub(crate) fn prefix(&self) -> &KeyPrefix {
        &self.prefix
    }

    pub(crate) fn format(&self) -> Key {
        self.own("format")
    }

    /// The value of the format key: which layout it is, in the version that this library reads and writes.
    pub(crate) fn format_value(&self) -> Bytes {
        Bytes::from_static(match self.kind {
            LayoutKind::Native => b"1",
            LayoutKind::CaddyEtcd => b"caddy-etcd 1",
        })
    }

    /// Refuses a tree whose format key has another value than ours.
    pub(crate) fn check_format(&self, value: &[u8]) -> Result<()> {
        let known = self.format_value();
        if value == known {
            return Ok(());
        }
        let found: String = String::from_utf8_lossy(value).chars().take(32).collect();
        let known = String::from_utf8_lossy(&known);
        Err(Error::new(ErrorKind::Unsupported)
            .with_detail(format!("the tree is of format {found:?}, this library knows {known:?}")))
    }

    /// What has to hold while the tree has no format key: that nobody has begun to use it in the other layout. And the
    /// read that tells whether it did.
    pub(crate) fn no_other_layout(&self) -> Option<(Compare, Get)> {
        let (compare, get) = match self.kind {
            LayoutKind::Native => {
                let meta = Self::new(LayoutKind::CaddyEtcd, self.prefix.clone()).all_meta();
                (Compare::RangeEmpty(meta.clone()), Get::range(meta).with_limit(ONE))
            }
            LayoutKind::CaddyEtcd if self.has_format_file => return None,
            LayoutKind::CaddyEtcd => {
                let format = Self::new(LayoutKind::Native, self.prefix.clone()).format();
                (Compare::Absent(format.clone()), Get::key(format))
            }
        };
        Some((compare, get.with_projection(Projection::KeysOnly)))
    }

    /// Whether a tree may hold files although it has no format key, because others than this library write there.
    pub(crate) fn is_shared(&self) -> bool {
        self.kind == LayoutKind::CaddyEtcd
    }

    /// Refuses a path at which this layout cannot have a file, nor anything below.
    pub(crate) fn check_path(&self, path: &FilePath) -> Result<()> {
        let Some(refused) = self.occupied(path.as_str()) else { return Ok(()) };
        let detail = format!("the layout caddy-etcd has its {refused} there");
        Err(Error::new(ErrorKind::InvalidPath).with_path(path).with_detail(detail))
    }

    /// What this layout has where this path leads.
    fn occupied(&self, path: &str) -> Option<&'static str> {
        if self.kind == LayoutKind::Native {
            return None;
        }
        match path.split('/').next() {
            Some("md") => Some("metadata"),
            Some("lock") => Some("locks"),
            _ => None,
        }
    }

    /// Where the last deletion of files has left its record. It is never deleted.
    pub(crate) fn deletions(&self) -> Key {
        self.own("deleted")
    }

    /// What belongs to every transaction that deletes files.
    pub(crate) fn record_deletion(&self, write: WriteId) -> Op {
        Op::Put { key: self.deletions(), value: Deletion { write }.encode(), lease: None }
    }

    pub(crate) fn data(&self, path: &FilePath) -> Key {
        below(&self.data, path.as_str())
    }

    pub(crate) fn meta(&self, path: &FilePath) -> Key {
        below(&self.meta, path.as_str())
    }

    /// The contents of all files below a path.
    pub(crate) fn data_below(&self, path: &FilePath) -> Vec<KeyRange> {
        let all = all_below(&self.data, path);
        if self.kind == LayoutKind::Native || !path.is_root() {
            return vec![all];
        }
        // Around what else lies directly below the prefix.
        without(&all, vec![self.all_locks(), self.all_meta()])
    }

    /// The metadata of all files below a path.
    pub(crate) fn meta_below(&self, path: &FilePath) -> KeyRange {
        all_below(&self.meta, path)
    }

    pub(super) fn all_meta(&self) -> KeyRange {
        self.meta_below(&FilePath::root())
    }

    /// Where the metadata of a file would be whose content has the key of the native format.
    pub(super) fn meta_of_format_file(&self) -> Key {
        below(&self.meta, "format")
    }

    /// The path of a metadata key, as it is spelled there; `None` for a key that is not one.
    pub(crate) fn spelling<'k>(&self, meta: &'k Key) -> Option<&'k str> {
        let path = meta.as_bytes().strip_prefix(self.meta.as_bytes())?.strip_prefix(b"/")?;
        std::str::from_utf8(path).ok()
    }

    /// The file whose metadata key this is; `None` for a key that no path is mapped to, whoever put it there.
    pub(crate) fn file(&self, meta: &Key) -> Option<FilePath> {
        self.file_name(meta).map(FilePath::known)
    }

    /// The path of that file, without a copy.
    pub(crate) fn file_name<'k>(&self, meta: &'k Key) -> Option<&'k str> {
        self.spelling(meta).filter(|name| FilePath::is_plain(name) && self.occupied(name).is_none())
    }

    /// The name in a metadata key, whether or not it is a path.
    pub(crate) fn spelling_bytes(&self, meta: &Key) -> Option<Bytes> {
        let name = meta.as_bytes().strip_prefix(self.meta.as_bytes())?.strip_prefix(b"/")?;
        Some(Bytes::copy_from_slice(name))
    }

    /// The name in a content key, whether or not it is a path.
    pub(crate) fn content_spelling(&self, data: &Key) -> Option<Bytes> {
        let name = data.as_bytes().strip_prefix(self.data.as_bytes())?.strip_prefix(b"/")?;
        Some(Bytes::copy_from_slice(name))
    }

    /// The keys of content and metadata of something with this name, whether or not it is a path.
    pub(crate) fn keys_of_spelling(&self, name: &[u8]) -> [Key; 2] {
        [&self.data, &self.meta].map(|part| Key::new([part.as_bytes(), b"/", name].concat()))
    }

    /// Where the metadata would be of a file whose content has this key.
    pub(crate) fn meta_of_content(&self, data: &Key) -> Key {
        let name = self.content_spelling(data).unwrap_or_default();
        let [_, meta] = self.keys_of_spelling(&name);
        meta
    }

    /// Why a name is no path of a file here.
    pub(crate) fn why_no_file(&self, name: &[u8]) -> Option<Error> {
        let lossy = String::from_utf8_lossy(name);
        let no_path =
            |reason: &str| Some(Error::new(ErrorKind::InvalidPath).with_path(&lossy).with_detail(reason));
        let Ok(name) = std::str::from_utf8(name) else { return no_path("it is no UTF-8") };
        match FilePath::parse(name) {
            Err(error) => Some(error),
            Ok(path) if path.is_root() => no_path("the root is not a file"),
            Ok(path) if path.as_str() != name => no_path("it begins or ends with a slash"),
            Ok(path) => self.check_path(&path).err(),
        }
    }

    /// A key of this library's that is neither content nor metadata.
    pub(super) fn own(&self, name: &str) -> Key {
        below(&self.own, name)
    }
}

/// The key of a name below a beginning.
fn below(beginning: &str, name: &str) -> Key {
    Key::new([beginning, "/", name].concat())
}

/// All keys below a path below a beginning.
fn all_below(beginning: &str, path: &FilePath) -> KeyRange {
    let slash = if path.is_root() { "" } else { "/" };
    KeyRange::prefix([beginning, "/", path.as_str(), slash].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn layout() -> Layout {
        Layout::new(LayoutKind::Native, KeyPrefix::default())
    }

    fn caddy_etcd() -> Layout {
        Layout::new(LayoutKind::CaddyEtcd, KeyPrefix::default())
    }

    fn path(path: &str) -> FilePath {
        FilePath::parse(path).unwrap()
    }

    #[test]
    fn the_keys_of_a_file_are_fixed() {
        assert_eq!(layout().format(), Key::new("/caddy/format"));
        assert_eq!(layout().data(&path("a/b.crt")), Key::new("/caddy/data/a/b.crt"));
        assert_eq!(layout().meta(&path("a/b.crt")), Key::new("/caddy/meta/a/b.crt"));
        let whole_store = Layout::new(LayoutKind::Native, KeyPrefix::parse("/").unwrap());
        assert_eq!(whole_store.data(&path("a")), Key::new("/data/a"));
    }

    #[test]
    fn the_keys_of_caddy_etcd_are_those_of_the_go_module() {
        assert_eq!(caddy_etcd().data(&path("a/b.crt")), Key::new("/caddy/a/b.crt"));
        assert_eq!(caddy_etcd().meta(&path("a/b.crt")), Key::new("/caddy/md/a/b.crt"));
        assert_eq!(caddy_etcd().format(), Key::new("/caddy/lock/md//format"));
        assert_eq!(caddy_etcd().deletions(), Key::new("/caddy/lock/md//deleted"));
        let whole_store = Layout::new(LayoutKind::CaddyEtcd, KeyPrefix::parse("/").unwrap());
        assert_eq!(whole_store.data(&path("a")), Key::new("/a"));
        assert_eq!(whole_store.meta(&path("a")), Key::new("/md/a"));
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

    #[test]
    fn in_caddy_etcd_nothing_is_a_file_where_metadata_and_locks_are() {
        for refused in ["md", "lock", "md/a", "lock/a/b"] {
            let error = caddy_etcd().check_path(&path(refused)).unwrap_err();
            assert_eq!((error.kind(), error.path()), (ErrorKind::InvalidPath, Some(refused)));
            assert_eq!(caddy_etcd().file(&caddy_etcd().meta(&path(refused))), None);
            layout().check_path(&path(refused)).unwrap();
        }
        for accepted in ["mda", "locks/a", "a/md/b", "a/lock", ""] {
            caddy_etcd().check_path(&path(accepted)).unwrap();
        }
    }

    proptest! {
        #[test]
        fn a_file_is_found_again_by_its_key(spelling in "[a-c./ä0-]{1,12}") {
            if let Ok(path) = FilePath::parse(&spelling) && !path.is_root() {
                for layout in [layout(), caddy_etcd()] {
                    prop_assert_eq!(layout.file(&layout.meta(&path)), Some(path.clone()));
                }
            }
        }

        #[test]
        fn the_contents_of_caddy_etcd_are_what_is_neither_metadata_nor_lock(rest in "[a-n/0.]{0,3}(lock|md)?[./0a-c]{0,3}") {
            let key = Key::new(format!("/caddy/{rest}"));
            let ranges = caddy_etcd().data_below(&FilePath::root());
            let is_content = !rest.starts_with("md/") && !rest.starts_with("lock/");
            prop_assert_eq!(ranges.iter().filter(|range| range.contains(&key)).count(), usize::from(is_content));
        }
    }
}
