use bolero::{Driver, ValueGenerator};

use crate::Choice;

/// Texts that are nearly paths, names or prefixes: of the characters, the names and the lengths at which something is
/// decided. About half of them are paths.
#[derive(Clone, Copy, Debug, Default)]
pub struct Texts;

/// Two texts, of which the second is mostly the first with a small change.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pairs;

/// What [`Pairs`] makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The one.
    pub one: String,
    /// The other.
    pub other: String,
}

/// Of these short texts are made, so few that the same ones, and their escaped forms, come again and again.
const PIECES: [&str; 12] = ["a", "b", "/", "%", "2", "F", "25", "%2F", ".", "-", "0", "ä"];

/// Components: the names of the layout, and names that are unusual but harmless.
const NAMES: [&str; 24] = [
    "data",
    "meta",
    "lock",
    "session",
    "deleted",
    "format",
    "caddy",
    "a",
    "ab",
    "a-b",
    "a.b",
    "...",
    "..a",
    " ",
    "%",
    "%2F",
    "*",
    "日本",
    "e\u{301}",
    "\u{202e}txt",
    "\u{200b}",
    "\u{feff}",
    "\u{10ffff}",
    "0123456789abcdef-7",
];

/// What spoils a text, or should not.
const SPOILERS: [&str; 24] = [
    "/",
    "//",
    ".",
    "..",
    "/./",
    "/../",
    "\\",
    "\0",
    "\n",
    "\r\n",
    "\t",
    "\u{1b}[31m",
    "\u{7f}",
    "\u{85}",
    "\u{2028}",
    "\u{2029}",
    "\u{ad}",
    "?",
    "#",
    "@",
    ":",
    ",",
    "\"",
    "😀",
];

/// Characters of one to four bytes, so that limits in bytes are not met by counting characters.
const WIDTHS: [char; 4] = ['x', 'ß', '€', '😀'];

impl ValueGenerator for Texts {
    type Output = String;

    fn generate<D: Driver>(&self, driver: &mut D) -> Option<String> {
        let mut text = match driver.number(0..=9)? {
            0..=2 => short(driver)?,
            3..=6 => components(driver)?,
            7 => long_name(driver)?,
            8 => long_path(driver)?,
            _ => (0..driver.number(0..=24)?).map(|_| driver.character()).collect::<Option<_>>()?,
        };
        if driver.once_in(4)? {
            spoil(driver, &mut text)?;
        }
        if driver.once_in(4)? {
            surround(driver, &mut text)?;
        }
        Some(text)
    }
}

impl ValueGenerator for Pairs {
    type Output = Pair;

    fn generate<D: Driver>(&self, driver: &mut D) -> Option<Pair> {
        let one = Texts.generate(driver)?;
        let mut other = one.clone();
        match driver.number(0..=7)? {
            0 => surround(driver, &mut other)?,
            1 => other.push_str(driver.pick(&PIECES)?),
            2 => other.insert_str(0, driver.pick(&PIECES)?),
            3 | 4 => {
                other.push('/');
                other.push_str(driver.pick(&NAMES)?);
            }
            5 => other.truncate(other.rfind('/').unwrap_or_default()),
            6 => spoil(driver, &mut other)?,
            _ => other = Texts.generate(driver)?,
        }
        // Which of them is the longer one says nothing then.
        let is_swapped = driver.once_in(2)?;
        Some(if is_swapped { Pair { one: other, other: one } } else { Pair { one, other } })
    }
}

/// Whether a message is one line that cannot be mistaken for more: no control character, no other separator of lines, and
/// nothing that turns the direction of what follows.
pub fn one_line(message: &str) -> bool {
    let breaks =
        |c: char| matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !message.chars().any(|c| c.is_control() || breaks(c))
}

fn short<D: Driver>(driver: &mut D) -> Option<String> {
    let pieces = driver.number(0..=5)?;
    (0..pieces).map(|_| driver.pick(&PIECES).copied()).collect()
}

fn components<D: Driver>(driver: &mut D) -> Option<String> {
    let count = driver.number(1..=5)?;
    let names: Option<Vec<&str>> = (0..count).map(|_| driver.pick(&NAMES).copied()).collect();
    Some(names?.join("/"))
}

/// A component of about 255 bytes, below another or alone.
fn long_name<D: Driver>(driver: &mut D) -> Option<String> {
    let bytes = driver.number(250..=258)?;
    let name = filled(driver, bytes)?;
    Some(if driver.once_in(2)? { name } else { format!("a/{name}") })
}

/// A path of about 64 components, or of about 1,024 bytes.
fn long_path<D: Driver>(driver: &mut D) -> Option<String> {
    if driver.once_in(2)? {
        return Some(vec![*driver.pick(&["x", "ab", "日"])?; driver.number(60..=67)?].join("/"));
    }
    let total = driver.number(1016..=1032)?;
    let mut path = String::new();
    while path.len() < total {
        let length = (total - path.len()).min(200);
        path.push_str(&filled(driver, length)?);
        if path.len() + 1 < total {
            path.push('/');
        }
    }
    Some(path)
}

/// So many bytes of one wide character and of `x`.
fn filled<D: Driver>(driver: &mut D, bytes: usize) -> Option<String> {
    let wide = *driver.pick(&WIDTHS)?;
    let mut text = wide.to_string().repeat(driver.number(0..=bytes / wide.len_utf8())?);
    text.push_str(&"x".repeat(bytes - text.len()));
    Some(text)
}

/// Puts something in between, or takes a character away.
fn spoil<D: Driver>(driver: &mut D, text: &mut String) -> Option<()> {
    let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    if places.is_empty() || driver.once_in(8)? {
        text.push_str(driver.pick(&SPOILERS)?);
        return Some(());
    }
    let at = *driver.pick(&places)?;
    match driver.number(0..=4)? {
        0 => drop(text.remove(at)),
        1 => text.insert(at, driver.character()?),
        _ => text.insert_str(at, driver.pick(&SPOILERS)?),
    }
    Some(())
}

/// Puts slashes around it.
fn surround<D: Driver>(driver: &mut D, text: &mut String) -> Option<()> {
    text.insert_str(0, driver.pick(&["", "/", "/", "//"])?);
    text.push_str(driver.pick(&["", "/", "/", "//"])?);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_breaks_a_line_is_noticed() {
        for text in ["a\nb", "a\u{1b}[0m", "a\u{85}", "a\u{2028}", "a\u{202e}b", "\u{7f}"] {
            assert!(!one_line(text), "{text:?}");
        }
        assert!(one_line("a \u{e4} 日本 \"\\n\""));
    }
}
