//! The table that a run prints.

use super::Report;
use super::goals::goals;
use super::markdown::{shown, verdict};
use crate::row::{Fact, Figure, Measured, Row};

/// All of a run.
pub(crate) fn print(report: &Report) {
    println!("{}\n", machine(report));
    println!(
        "{:<38} {:<24} {:>10} {:>10} {:>10}  {:<20} {:>7}",
        "WORKLOAD", "CONTENDER", "P50", "P99", "PER-SECOND", "RATIO (QUARTILES)", "CALLS"
    );
    print_rows(&report.rows);
    print_facts(&report.facts);
    println!("\n{:<58} {:>11} {:>11}", "GOAL", "LIMIT", "MEASURED");
    for goal in goals(&report.rows, &report.facts).iter().filter(|goal| goal.measured.is_some()) {
        let (limit, measured) = shown(goal);
        println!("{:<58} {limit:>11} {measured:>11}  {:<6} {}", goal.what, verdict(goal), goal.note);
    }
}

/// What was measured on what.
pub(crate) fn machine(report: &Report) -> String {
    let machine = &report.machine;
    let versions: Vec<_> = machine.crates.iter().map(|(name, version)| format!("{name} {version}")).collect();
    format!(
        "{}, commit {}: {} cores ({}), {} MiB, {}; etcd {}; {}; {}.",
        report.date,
        machine.commit,
        machine.cores,
        machine.cpu,
        machine.memory_mib,
        machine.system,
        machine.etcd,
        machine.rustc,
        versions.join(", ")
    )
}

/// Some rows, a line for each contender.
pub(crate) fn print_rows(rows: &[Row]) {
    for row in rows {
        for measured in &row.measured {
            println!("{}", line(row, measured));
        }
        for (contender, reason) in &row.left_out {
            println!("{:<38} {contender:<24} left out: {reason}", row.name);
        }
    }
}

/// Figures that are no times.
pub(crate) fn print_facts(facts: &[Fact]) {
    for fact in facts {
        println!("{:<38} {:<24} {:>10.2} {}", fact.name, fact.contender, fact.value, fact.unit);
    }
}

fn line(row: &Row, measured: &Measured) -> String {
    format!(
        "{:<38} {:<24} {:>10} {:>10} {:>10.0}  {:<20} {:>7}",
        row.name,
        measured.contender,
        time(measured.p50_seconds),
        time(measured.p99_seconds),
        measured.per_second,
        ratio(row, measured),
        measured.calls
    )
}

/// The ratio to the first contender, with its spread; marked where it is one of throughputs.
pub(crate) fn ratio(row: &Row, measured: &Measured) -> String {
    let ratio = measured.ratio;
    let of = match row.figure {
        Figure::Latency => "",
        Figure::Throughput => "/s ",
    };
    format!("{of}{:.2} ({:.2}-{:.2})", ratio.median, ratio.lower_quartile, ratio.upper_quartile)
}

/// A time with three digits and its unit.
pub(crate) fn time(seconds: f64) -> String {
    let (value, unit) = match seconds {
        seconds if seconds < 1e-6 => (seconds * 1e9, "ns"),
        seconds if seconds < 1e-3 => (seconds * 1e6, "us"),
        seconds if seconds < 1.0 => (seconds * 1e3, "ms"),
        seconds => (seconds, "s"),
    };
    let digits = match value {
        value if value < 10.0 => 2,
        value if value < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_three_digits() {
        let shown: Vec<_> = [1.5e-7, 2.345e-5, 0.001_234, 12.0].into_iter().map(time).collect();
        assert_eq!(shown, ["150 ns", "23.4 us", "1.23 ms", "12.0 s"]);
    }
}
