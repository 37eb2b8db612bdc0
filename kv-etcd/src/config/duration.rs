//! Durations as Go writes them: `1h15m30.5s`, `250ms`, `1µs`.

use std::time::Duration;

/// Nanoseconds of each unit. Go knows two signs for micro: U+00B5 and the Greek letter U+03BC.
const UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("h", 3_600 * 1_000_000_000),
];

/// Digits of a fraction that are looked at: as many as can be multiplied by an hour in a `u128`.
const FRACTION_DIGITS: usize = 25;

/// Reads a duration in nanoseconds, with the grammar of Go's `time.ParseDuration`. What is left of a fraction below a
/// nanosecond is cut off.
///
/// The error is the reason, to follow "it is no duration:".
pub(super) fn parse(text: &str) -> Result<i64, &'static str> {
    let (is_negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    // The only number that needs no unit.
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err("it is empty");
    }
    let mut total = 0;
    while !rest.is_empty() {
        let (nanos, after) = term(rest)?;
        total += nanos;
        // Checked each time, so that the sum of many cannot overflow either.
        if total > LONGEST {
            return Err(OVERFLOW);
        }
        rest = after;
    }
    let signed = i128::try_from(total).map_err(|_| OVERFLOW)?;
    i64::try_from(if is_negative { -signed } else { signed }).map_err(|_| OVERFLOW)
}

const OVERFLOW: &str = "it is longer than 292 years";

/// The most nanoseconds on either side of zero; above it one less.
const LONGEST: u128 = i64::MIN.unsigned_abs() as u128;

/// Reads a number with its unit, and returns what follows them.
fn term(text: &str) -> Result<(u128, &str), &'static str> {
    let (whole, rest) = digits(text);
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => digits(rest),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err("a number is missing");
    }
    let end = rest.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    if name.is_empty() {
        return Err("a unit is missing, such as s or m");
    }
    let unit = UNITS.iter().find(|(unit, _)| *unit == name).map(|(_, nanos)| *nanos);
    let unit = unit.ok_or("a unit is not one of ns, us, ms, s, m, h")?;
    let whole = number(whole).filter(|whole| *whole <= LONGEST).ok_or(OVERFLOW)?;
    let fraction = &fraction[..fraction.len().min(FRACTION_DIGITS)];
    let scale = fraction.bytes().fold(1, |scale, _| scale * 10);
    // No overflow: 2^63 and 10^25, times the nanoseconds of an hour, are below 2^128.
    let part = number(fraction).ok_or(OVERFLOW)? * unit / scale;
    Ok((whole * unit + part, rest))
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

/// The value of digits, none of them meaning zero. `None` beyond a `u128`.
fn number(digits: &str) -> Option<u128> {
    digits
        .bytes()
        .try_fold(0_u128, |value, digit| value.checked_mul(10)?.checked_add(u128::from(digit - b'0')))
}

/// Writes a duration like Go's `Duration.String`: `5m0s`, `1.5s`, `250ms`.
pub(super) fn format(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    match nanos {
        0 => "0s".to_owned(),
        1..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => decimal(nanos, 1_000) + "\u{b5}s",
        1_000_000..1_000_000_000 => decimal(nanos, 1_000_000) + "ms",
        _ => {
            let minutes = duration.as_secs() / 60;
            let below_a_minute = nanos - u128::from(minutes) * 60 * 1_000_000_000;
            let seconds = decimal(below_a_minute, 1_000_000_000);
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{seconds}s"),
                (0, minutes) => format!("{minutes}m{seconds}s"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
            }
        }
    }
}

/// `nanos` in units of so many nanoseconds, a power of ten.
fn decimal(nanos: u128, unit: u128) -> String {
    let digits = unit.ilog10() as usize;
    let text = format!("{}.{:0digits$}", nanos / unit, nanos % unit);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests;
