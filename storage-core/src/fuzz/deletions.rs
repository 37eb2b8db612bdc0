use bad_input::{KeyBytes, Verdict, fuzz, one_line};

use super::document::{Document, Field, Form, Need, Version};
use crate::error::ErrorKind;
use crate::layout::{KeyPrefix, Layout, LayoutKind};
use crate::record::Deletion;

/// The record of the last deletion of `docs/format.md`.
const DELETION: Form = Form(&[Field {
    name: "write",
    right: &["\"30313233343536373839616263646566\"", "\"FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF\""],
    wrong: &["\"\"", "\"3031\"", "\"303132333435363738396162636465660\"", "0", "null", "[\"30\"]"],
    need: Need::Required,
}]);

#[test]
fn deletions_are_read_or_none_and_formats_ours_or_refused() {
    fuzz!((DELETION, KeyBytes), |(document, format): &(Document, Vec<u8>)| {
        for value in [format.clone(), [b"1", &format[..]].concat(), document.text.clone().into_bytes()] {
            check_format(&value);
        }
        let read = Deletion::decode(document.text.as_bytes());
        let is_one = document.is_object && document.is_right && document.version == Version::Ours;
        assert_eq!(read.is_some(), is_one);
        let Some(deletion) = read else { return Verdict::Refused };
        assert_eq!(Deletion::decode(&deletion.encode()), Some(deletion));
        Verdict::Accepted
    });
}

fn check_format(value: &[u8]) {
    let layout = Layout::new(LayoutKind::Native, KeyPrefix::default());
    match layout.check_format(value) {
        Ok(()) => assert_eq!(value, layout.format_value()),
        Err(error) => {
            assert_ne!(value, layout.format_value());
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            let message = error.to_string();
            assert!(one_line(&message) && message.len() < 1_000, "{message:?}");
        }
    }
}
