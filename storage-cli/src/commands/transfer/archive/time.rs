//! Times as extended headers have them: decimal seconds since 1970, with a fraction, of any sign.

use std::time::{Duration, SystemTime};

const NANOS: u32 = 1_000_000_000;

/// Reads a time. What is finer than a nanosecond is cut off.
pub(super) fn parse(text: &str) -> Option<SystemTime> {
    let (digits, is_before) = text.strip_prefix('-').map_or((text, false), |digits| (digits, true));
    let (seconds, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if seconds.is_empty() || !is_number(seconds) || !is_number(fraction) {
        return None;
    }
    let nanos: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let distance = Duration::new(seconds.parse().ok()?, nanos.parse().ok()?);
    if is_before {
        SystemTime::UNIX_EPOCH.checked_sub(distance)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(distance)
    }
}

/// A time as whole seconds, if the field of a header has room for it.
pub(super) fn whole(time: SystemTime) -> Option<u64> {
    /// Eleven octal digits.
    const MOST: u64 = 0o77_777_777_777;
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    (since.subsec_nanos() == 0 && since.as_secs() <= MOST).then_some(since.as_secs())
}

/// A time as an extended header has it.
pub(super) fn extended(time: SystemTime) -> String {
    let (sign, distance) = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => ("", since),
        Err(before) => ("-", before.duration()),
    };
    let (seconds, nanos) = (distance.as_secs(), distance.subsec_nanos() % NANOS);
    if nanos == 0 {
        return format!("{sign}{seconds}");
    }
    let fraction = format!("{nanos:09}");
    format!("{sign}{seconds}.{}", fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64, nanos: u32) -> SystemTime {
        let distance = Duration::from_secs(seconds.unsigned_abs());
        let whole =
            if seconds < 0 { SystemTime::UNIX_EPOCH - distance } else { SystemTime::UNIX_EPOCH + distance };
        whole + Duration::from_nanos(nanos.into())
    }

    #[test]
    fn a_time_is_read_as_it_was_written() {
        for (time, text) in [
            (at(1_700_000_000, 120_000_789), "1700000000.120000789"),
            (at(1_700_000_000, 500_000_000), "1700000000.5"),
            (at(1, 0), "1"),
            (at(-2, 500_000_000), "-1.5"),
            (at(-1, 0), "-1"),
            (at(253_402_000_000, 1), "253402000000.000000001"),
        ] {
            assert_eq!(extended(time), text);
            assert_eq!(parse(text), Some(time), "{text}");
        }
        assert_eq!(parse("1.0000000019"), Some(at(1, 1)), "what is finer is cut off");
        assert_eq!(parse("1."), Some(at(1, 0)));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in ["", "-", ".5", "x", "1.x", "1e3", "+1", "99999999999999999999", "--1", "1.2.3"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_header_holds_whole_seconds_of_these_centuries() {
        assert_eq!(whole(at(1_700_000_000, 0)), Some(1_700_000_000));
        for time in [at(1_700_000_000, 1), at(-1, 0), at(0o100_000_000_000, 0)] {
            assert_eq!(whole(time), None);
        }
    }
}
