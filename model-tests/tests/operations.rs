//! No operation is left out of the countdown.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Those that ask the store nothing.
const SILENT: [&str; 7] = [
    "Storage::backend",
    "Storage::layout",
    "Storage::prefix",
    "LockGuard::name",
    "LockGuard::token",
    "LockGuard::state",
    "LockGuard::is_held",
];

/// One read, of what only other programs put into a tree: there is none in the countdown's.
const FOREIGN: [&str; 1] = ["Storage::load_finding"];

/// They are of damaged files: there is none in the countdown's trees. What becomes of their lost answers is a clause of the
/// contract.
const OF_DAMAGE: [&str; 4] = [
    "Storage::quarantine",
    "Storage::load_quarantined",
    "Storage::restore_quarantined",
    "Storage::delete_quarantined",
];

#[test]
fn every_public_operation_is_tried() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../storage-core/src");
    let mut public = BTreeSet::new();
    collect(&sources, &mut public);
    for silent in SILENT.into_iter().chain(FOREIGN).chain(OF_DAMAGE) {
        assert!(public.remove(silent), "there is no {silent} any more");
    }
    // It is no method.
    public.insert("LockGuard::drop".to_owned());
    let tried: BTreeSet<String> = model_tests::countdown::operations().map(str::to_owned).collect();
    assert_eq!(tried, public);
}

/// The public methods of storages and guards below this directory.
fn collect(directory: &Path, methods: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).expect("the sources of storage-core") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, methods);
            continue;
        }
        let source = fs::read_to_string(&path).expect("a source is UTF-8");
        let mut implemented = None;
        for line in source.lines() {
            match line {
                "impl<B: KvBackend> Storage<B> {" => implemented = Some("Storage"),
                "impl<B: KvBackend> LockGuard<B> {" => implemented = Some("LockGuard"),
                "}" => implemented = None,
                _ => {}
            }
            let method = line.strip_prefix("    pub async fn ").or_else(|| line.strip_prefix("    pub fn "));
            if let (Some(implemented), Some(method)) = (implemented, method) {
                let name: String = method.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                methods.insert(format!("{implemented}::{name}"));
            }
        }
    }
}
