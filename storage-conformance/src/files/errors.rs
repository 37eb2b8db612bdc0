//! What an error says.

use std::error::Error as _;

use storage_core::{Error, ErrorKind, ListOptions};

use super::support::{open_with, raw_put};
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["FS-ERR-1"], an_error_names_the_operation_and_the_path),
    case!(["FS-ERR-1"], a_path_with_a_line_break_makes_no_second_line),
];

async fn an_error_names_the_operation_and_the_path(context: Context) {
    let tree = open_with(&context, &["a/b", "bad", "x"]).await;
    raw_put(&context, "meta/bad", "no JSON").await;
    let version = tree.stat("x").await.unwrap().version;
    tree.store("x", "2").await.unwrap();
    for (operation, path, error) in [
        ("store", "a", tree.store("a", "1").await.map(drop)),
        ("create", "x", tree.create("x", "1").await.map(drop)),
        ("store_if", "x", tree.store_if("x", "1", version).await.map(drop)),
        ("load_or_store", "a", tree.load_or_store("a", "1").await.map(drop)),
        ("store_many", "a", tree.store_many([("fine", "1"), ("a", "1")]).await.map(drop)),
        ("load", "missing", tree.load("missing").await.map(drop)),
        ("load", "bad", tree.load("bad").await.map(drop)),
        ("stat", "missing", tree.stat("missing").await.map(drop)),
        ("list", "missing", tree.list("missing", ListOptions::children()).await.map(drop)),
        ("delete", "", tree.delete("").await.map(drop)),
        ("delete_file", "a", tree.delete_file("a").await.map(drop)),
        ("rename", "missing", tree.rename("missing", "fine").await.map(drop)),
        ("unlock", "nobody's", tree.unlock("nobody's").await),
    ] {
        let error = error.expect_err(operation);
        assert_eq!((error.operation(), error.path()), (Some(operation), Some(path)), "{error:?}");
        well_told(&error, &format!("{operation} {path:?}: "));
    }
}

async fn a_path_with_a_line_break_makes_no_second_line(context: Context) {
    let tree = open_with(&context, &[]).await;
    for path in ["a\nb", "a\r\n\u{1b}[31mb", "\u{2028}\u{85}"] {
        let error = tree.load(path).await.expect_err("no path has control characters");
        assert_eq!(error.kind(), ErrorKind::InvalidPath, "{error:?}");
        assert_eq!(error.path(), Some(path), "the path as it was given");
        well_told(&error, "load \"");
        let error = tree.lock(path).await.expect_err("no name has control characters");
        assert_eq!(error.kind(), ErrorKind::InvalidName, "{error:?}");
        well_told(&error, "lock \"");
    }
}

fn well_told(error: &Error, beginning: &str) {
    let text = error.to_string();
    assert!(text.starts_with(beginning), "should begin with {beginning:?}: {text:?}");
    assert!(!text.chars().any(char::is_control), "one line: {text:?}");
    if let Some(source) = error.source() {
        assert!(!text.contains(&source.to_string()), "repeats its source {source}: {text:?}");
    }
}
