//! JSON objects as Go's decoder reads them: names in any case, unknown ones passed over, the last of a name counts, and
//! text that is no Unicode is repaired.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

/// Something that is read from a JSON object field by field.
pub(super) trait Fields: Default {
    /// Takes the value of a field whose name, in small letters, it knows; `false` if it does not, and takes nothing.
    fn take<'de, A: MapAccess<'de>>(&mut self, name: &str, fields: &mut A) -> Result<bool, A::Error>;
}

/// Reads an object of these fields, and nothing behind it.
pub(super) fn read<F: Fields>(json: &[u8]) -> Result<F, serde_json::Error> {
    struct Object<F>(F);

    impl<'de, F: Fields> Visitor<'de> for Object<F> {
        type Value = F;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<F, A::Error> {
            while let Some(Text(name)) = fields.next_key()? {
                if !self.0.take(&folded(&name), &mut fields)? {
                    fields.next_value::<IgnoredAny>()?;
                }
            }
            Ok(self.0)
        }
    }

    let mut reader = serde_json::Deserializer::from_slice(json);
    let fields = reader.deserialize_map(Object(F::default()))?;
    reader.end()?;
    Ok(fields)
}

/// Takes a value; `null` leaves the field as it is.
pub(super) fn set<'de, T, A>(field: &mut Option<T>, fields: &mut A) -> Result<(), A::Error>
where
    T: Deserialize<'de>,
    A: MapAccess<'de>,
{
    if let Some(value) = fields.next_value::<Option<T>>()? {
        *field = Some(value);
    }
    Ok(())
}

/// A text, in which whatever is no Unicode is replaced.
#[derive(Debug)]
pub(super) struct Text(pub(super) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;

        impl Visitor<'_> for Bytes {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_bytes<E>(self, text: &[u8]) -> Result<Text, E> {
                Ok(Text(String::from_utf8_lossy(text).into_owned()))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text.to_owned()))
            }
        }

        // As bytes the decoder lets pass what is no Unicode.
        deserializer.deserialize_bytes(Bytes)
    }
}

/// The name in small letters. Go takes these two for letters of the alphabet.
fn folded(name: &str) -> String {
    name.replace('\u{17f}', "s").replace('\u{212a}', "k").to_ascii_lowercase()
}
