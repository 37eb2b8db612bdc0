use proptest::prelude::*;

use super::*;

const SECOND: i64 = 1_000_000_000;

#[test]
fn durations_of_go_are_read_as_go_reads_them() {
    for (text, nanos) in [
        ("0", 0),
        ("-0", 0),
        ("+0", 0),
        ("0s", 0),
        ("5s", 5 * SECOND),
        ("+5m", 300 * SECOND),
        ("-1.5h", -5_400 * SECOND),
        ("1h15m30.5s", 4_530_500_000_000),
        ("250ms", 250_000_000),
        ("1us", 1_000),
        ("1\u{b5}s", 1_000),
        ("1\u{3bc}s", 1_000),
        ("5.s", 5 * SECOND),
        (".5s", SECOND / 2),
        ("1s1h1s", 3_602 * SECOND),
        ("0.9ns", 0),
        ("00001.50000s", 1_500_000_000),
        ("0.3333333333333333333333333333333333333333h", 1_199_999_999_999),
        ("9223372036854775807ns", i64::MAX),
        ("2562047h47m16.854775807s", i64::MAX),
        ("-9223372036854775808ns", i64::MIN),
    ] {
        assert_eq!(parse(text), Ok(nanos), "{text}");
    }
}

#[test]
fn everything_else_is_refused_with_the_reason() {
    for (text, reason) in [
        ("", "empty"),
        ("+", "empty"),
        ("5", "unit is missing"),
        ("1s5", "unit is missing"),
        ("00", "unit is missing"),
        ("0.", "unit is missing"),
        (".s", "number is missing"),
        (".", "number is missing"),
        ("s", "number is missing"),
        ("--5s", "number is missing"),
        ("+-5s", "number is missing"),
        (" 5s", "number is missing"),
        ("\u{665}s", "number is missing"),
        ("5s ", "a unit is not"),
        ("1.2.3s", "unit is missing"),
        ("5 s", "a unit is not"),
        ("1s-1s", "a unit is not"),
        ("1S", "a unit is not"),
        ("1d", "a unit is not"),
        ("1e3s", "a unit is not"),
        ("1,5s", "a unit is not"),
        ("9223372036854775808ns", "longer than"),
        ("-9223372036854775809ns", "longer than"),
        ("2562047h47m16.854775808s", "longer than"),
        ("9999999999999999999999999999999999999999999999s", "longer than"),
        ("2562048h", "longer than"),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.contains(reason), "{text}: {error}");
    }
}

#[test]
fn durations_are_written_as_go_writes_them() {
    for (nanos, text) in [
        (0, "0s"),
        (1, "1ns"),
        (1_100, "1.1\u{b5}s"),
        (2_200_000, "2.2ms"),
        (1_500_000_000, "1.5s"),
        (60_000_000_000, "1m0s"),
        (300_000_000_000, "5m0s"),
        (4_530_500_000_000, "1h15m30.5s"),
        (3_600_000_000_001, "1h0m0.000000001s"),
        (i64::MAX.unsigned_abs(), "2562047h47m16.854775807s"),
    ] {
        assert_eq!(format(Duration::from_nanos(nanos)), text);
    }
    assert_eq!(format(Duration::MAX), "5124095576030431h0m15.999999999s");
}

/// A number, the digits of its fraction, and a unit.
type Term = (u32, Option<String>, usize);

fn terms() -> impl Strategy<Value = Vec<Term>> {
    let term = (0..200_000_u32, proptest::option::of("[0-9]{0,9}"), 0..UNITS.len());
    proptest::collection::vec(term, 1..6)
}

fn text_of(sign: &str, terms: &[Term]) -> String {
    let terms = terms.iter().map(|(whole, fraction, unit)| {
        let fraction = fraction.as_ref().map_or_else(String::new, |digits| format!(".{digits}"));
        format!("{whole}{fraction}{}", UNITS[*unit].0)
    });
    sign.to_owned() + &terms.collect::<String>()
}

/// What the terms amount to, each cut off at the nanosecond: counted in units of 10^-9 ns.
fn nanos_of(terms: &[Term]) -> i128 {
    let parts = terms.iter().map(|(whole, fraction, unit)| {
        let digits = format!("{whole}{:0<9}", fraction.as_deref().unwrap_or(""));
        digits.parse::<i128>().unwrap() * i128::try_from(UNITS[*unit].1).unwrap() / 1_000_000_000
    });
    parts.sum()
}

proptest! {
    #[test]
    fn what_the_grammar_allows_has_its_exact_value(sign in "[-+]?", terms in terms()) {
        let nanos = nanos_of(&terms) * if sign == "-" { -1 } else { 1 };
        prop_assert_eq!(parse(&text_of(&sign, &terms)), Ok(i64::try_from(nanos).unwrap()));
    }

    #[test]
    fn what_breaks_the_grammar_is_refused(terms in terms(), sign in "[-+]?", mutation in 0..7) {
        let text = text_of(&sign, &terms);
        let broken = match mutation {
            0 => format!("{text}5"),
            1 => format!("{text} "),
            2 => format!("-{sign}+{text}"),
            3 => format!("x{text}"),
            4 => format!("{text}.s"),
            5 => format!("{text}1y"),
            _ => format!("{text}-1s"),
        };
        prop_assert!(parse(&broken).is_err(), "{}", broken);
    }

    #[test]
    fn what_is_written_can_be_read(nanos in 0..=i64::MAX) {
        let text = format(Duration::from_nanos(nanos.unsigned_abs()));
        prop_assert_eq!(parse(&text), Ok(nanos));
    }

    #[test]
    fn no_text_panics(text in ".*", near in "[-+.0-9nuµμmsh]{0,60}") {
        let _ = (parse(&text), parse(&near));
    }
}
