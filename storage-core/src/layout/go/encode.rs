//! JSON as Go's `encoding/json` writes it.

use std::fmt::Write as _;

/// Appends a text in quotes. Beside what JSON demands Go escapes `<`, `>` and `&`, and the two separators of lines that
/// JavaScript takes for line breaks.
pub(super) fn push_text(json: &mut String, text: &str) {
    json.push('"');
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            // Since Go 1.22 these two have short forms too.
            '\u{8}' => json.push_str("\\b"),
            '\u{c}' => json.push_str("\\f"),
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                write!(json, "\\u{:04x}", u32::from(c)).expect("a string takes whatever is written");
            }
            c => json.push(c),
        }
    }
    json.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn quoted(text: &str) -> String {
        let mut json = String::new();
        push_text(&mut json, text);
        json
    }

    #[test]
    fn what_go_escapes_is_escaped() {
        assert_eq!(quoted("a<b>&\u{2028}\u{2029}"), r#""a\u003cb\u003e\u0026\u2028\u2029""#);
        assert_eq!(quoted("\"\\\n\r\t\u{8}\u{c}\0\u{1f}"), r#""\"\\\n\r\t\b\f\u0000\u001f""#);
        assert_eq!(quoted("ä日\u{7f}/'"), "\"ä日\u{7f}/'\"");
    }

    proptest! {
        #[test]
        fn every_text_is_read_back(text in any::<String>()) {
            prop_assert_eq!(serde_json::from_str::<String>(&quoted(&text)).unwrap(), text);
        }
    }
}
