//! Records as somebody else may have left them in the store: mostly right, and it is known what is wrong.

use bad_input::bolero::{Driver, ValueGenerator};
use bad_input::{Choice, value};

/// The fields of a record, beside its version.
#[derive(Clone, Copy)]
pub(super) struct Form(pub(super) &'static [Field]);

/// A field, with values as JSON text.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) right: &'static [&'static str],
    pub(super) wrong: &'static [&'static str],
    /// Whether the record may do without.
    pub(super) need: Need,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Required,
    Optional,
}

/// A record, and what is known of it.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) text: String,
    /// Whether it is one JSON object and nothing else.
    pub(super) is_object: bool,
    pub(super) version: Version,
    /// Whether each field is there, once, with a value that is right.
    pub(super) is_right: bool,
}

/// What a record says of its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Ours,
    Another,
    /// None, two, or something that is no whole number of at most 64 bits.
    Unclear,
}

const OTHER_VERSIONS: [&str; 5] = ["0", "2", "256", "4294967297", "18446744073709551615"];
const NO_VERSIONS: [&str; 11] =
    ["-1", "1.0", "1e0", "\"1\"", "null", "true", "[1]", "{}", "18446744073709551616", "1e999", "-0"];
/// Fields that no reader knows; some are nearly names that it does.
const UNKNOWN: [&str; 6] = ["colour", "", "Version", "size ", "version\\u0000", "日本"];

impl ValueGenerator for Form {
    type Output = Document;

    fn generate<D: Driver>(&self, driver: &mut D) -> Option<Document> {
        let (version, number) = match driver.number(0..=9)? {
            0 => (Version::Unclear, *driver.pick(&NO_VERSIONS)?),
            1 | 2 => (Version::Another, *driver.pick(&OTHER_VERSIONS)?),
            _ => (Version::Ours, "1"),
        };
        let mut parts = Parts { fields: vec![("version", number.to_owned())], version, is_right: true };
        let are_spoiled = driver.once_in(3)?;
        for field in self.0 {
            parts.add(driver, field, are_spoiled)?;
        }
        if are_spoiled && driver.once_in(4)? {
            parts.version = Version::Unclear;
            match driver.number(0..=1)? {
                0 => drop(parts.fields.remove(0)),
                _ => parts.fields.push(("version", driver.pick(&["1", "2"])?.to_string())),
            }
        }
        if driver.once_in(3)? {
            parts.fields.push((*driver.pick(&UNKNOWN)?, value(driver)?));
        }
        if driver.once_in(3)? {
            let by = driver.number(0..=parts.fields.len())?;
            parts.fields.rotate_left(by);
        }
        let Parts { version, is_right, .. } = parts;
        let (text, is_object) = parts.write(driver)?;
        Some(Document { text, is_object, version, is_right })
    }
}

/// A document in the making.
struct Parts {
    fields: Vec<(&'static str, String)>,
    version: Version,
    is_right: bool,
}

impl Parts {
    fn add<D: Driver>(&mut self, driver: &mut D, field: &Field, is_spoiled: bool) -> Option<()> {
        let mut put = |value: &str| self.fields.push((field.name, value.to_owned()));
        match if is_spoiled { driver.number(0..=8)? } else { 8 } {
            0 => {
                put(driver.pick(field.right)?);
                put(driver.pick(field.right)?);
                self.is_right = false;
            }
            1 => self.is_right &= field.need == Need::Optional,
            2 => {
                put(driver.pick(field.wrong)?);
                self.is_right = false;
            }
            _ => put(driver.pick(field.right)?),
        }
        Some(())
    }

    /// The text, and whether it is an object.
    fn write<D: Driver>(&self, driver: &mut D) -> Option<(String, bool)> {
        let space = if driver.once_in(4)? { " \n\t" } else { "" };
        let escaped = driver.once_in(8)?;
        let name =
            |name: &str| match name.chars().next().filter(|first| escaped && first.is_ascii_lowercase()) {
                Some(first) => format!("\\u{:04x}{}", u32::from(first), &name[1..]),
                None => name.to_owned(),
            };
        let fields = self.fields.iter().map(|(field, value)| format!("\"{}\"{space}:{value}", name(field)));
        let fields: Vec<String> = fields.collect();
        let object = format!("{space}{{{}}}{space}", fields.join(","));
        Some(match driver.number(0..=31)? {
            0 => {
                let values: Vec<&str> = self.fields.iter().map(|(_, value)| value.as_str()).collect();
                (format!("[{}]", values.join(",")), false)
            }
            1 => (format!("{object}{}", driver.pick(&["x", "{}", ",", "\0", "\u{feff}"])?), false),
            2 => (format!("{}{object}", driver.pick(&["\u{feff}", "1", "[", "\"", "\0"])?), false),
            3 => {
                let whole = object.trim_end();
                let mut end = driver.number(0..=whole.len() - 1)?;
                while !whole.is_char_boundary(end) {
                    end -= 1;
                }
                (whole[..end].to_owned(), false)
            }
            _ => (object, true),
        })
    }
}
