use bad_input::{Verdict, fuzz};

use super::document::{Document, Field, Form, Need, Version};
use crate::identity::Identity;

/// The record of a session or of a place of `docs/format.md`.
const IDENTITY: Form = Form(&[
    Field {
        name: "label",
        right: &["\"issue\"", "\"\"", "null", "\"\\u0000\\n\""],
        wrong: &["1", "[]", "{}", "true"],
        need: Need::Optional,
    },
    Field {
        name: "host",
        right: &["\"node-a\"", "\"\"", "\"\\u202e日本\""],
        wrong: &["null", "1", "[\"a\"]"],
        need: Need::Required,
    },
    Field {
        name: "pid",
        right: &["0", "42", "4294967295"],
        wrong: &["-1", "4294967296", "1.5", "\"42\"", "null"],
        need: Need::Required,
    },
    Field {
        name: "since",
        right: &[
            "\"2023-11-14T22:13:20.120000789Z\"",
            "\"9999-12-30T22:00:00Z\"",
            "\"-009999-01-02T01:59:59Z\"",
        ],
        wrong: &["\"\"", "\"2023-13-14T22:13:20Z\"", "0", "null", "\"10000-01-01T00:00:00Z\""],
        need: Need::Required,
    },
]);

#[test]
fn identities_are_read_or_nobody() {
    fuzz!(IDENTITY, |document: &Document| {
        let read = Identity::decode(document.text.as_bytes());
        let is_one = document.is_object && document.is_right && document.version == Version::Ours;
        assert_eq!(read.is_some(), is_one);
        let Some(identity) = read else { return Verdict::Refused };
        assert_eq!(Identity::decode(&identity.encode()), Some(identity));
        Verdict::Accepted
    });
}
