use bolero::{Driver, ValueGenerator};

use crate::Choice;

/// Any JSON, as text: the values at which readers stumble, nested a little, and now and then very deep. It is always JSON.
#[derive(Clone, Copy, Debug, Default)]
pub struct Json;

/// Values without parts.
const SCALARS: [&str; 24] = [
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1",
    "-1",
    "1.0",
    "1e0",
    "2",
    "4294967296",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775809",
    "1e999",
    "123456789012345678901234567890",
    "0.1e-400",
    "\"\"",
    "\"1\"",
    "\"a\"",
    "\"\\u0000\\n\\u2028\"",
    "\"\\ud83d\\ude00\"",
    "\"2023-11-14T22:13:20Z\"",
    "\"\u{202e}\u{10ffff}\"",
];

const NAMES: [&str; 6] = ["\"a\"", "\"version\"", "\"size\"", "\"\"", "\"\\u0061\"", "\"日本\""];

const DEEPEST: usize = 20_000;

impl ValueGenerator for Json {
    type Output = String;

    fn generate<D: Driver>(&self, driver: &mut D) -> Option<String> {
        value(driver)
    }
}

/// A value.
pub fn value<D: Driver>(driver: &mut D) -> Option<String> {
    if driver.once_in(64)? {
        // Readers that call themselves for each level end here.
        let depth = driver.number(100..=DEEPEST)?;
        let (open, close) = *driver.pick(&[("[", "]"), ("{\"a\":", "}")])?;
        return Some(format!("{}0{}", open.repeat(depth), close.repeat(depth)));
    }
    nested(driver, 3)
}

fn nested<D: Driver>(driver: &mut D, levels: usize) -> Option<String> {
    let parts = driver.number(0..=3)?;
    match driver.number(0..=3)? {
        0 if levels > 0 => {
            let items: Option<Vec<_>> = (0..parts).map(|_| nested(driver, levels - 1)).collect();
            Some(format!("[{}]", items?.join(", ")))
        }
        1 if levels > 0 => {
            let field =
                |driver: &mut D| Some(format!("{}:{}", driver.pick(&NAMES)?, nested(driver, levels - 1)?));
            let fields: Option<Vec<_>> = (0..parts).map(|_| field(driver)).collect();
            Some(format!("{{{}}}", fields?.join(",")))
        }
        _ => Some((*driver.pick(&SCALARS)?).to_owned()),
    }
}
