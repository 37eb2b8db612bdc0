//! The goals and the figures as tables for people who read the repository.

use std::fmt::{self, Write as _};

use super::Report;
use super::goals::{Goal, Limit, goals};
use super::table::{machine, ratio, time};

/// A document of its own: nothing in it is written by hand.
pub(crate) fn write(report: &Report) -> Result<String, fmt::Error> {
    let mut text = String::new();
    writeln!(text, "# Figures of a {} run\n", report.mode)?;
    writeln!(
        text,
        "Written by `cargo xtask bench {} --record`; [how to read it](../performance.md).\n",
        report.mode
    )?;
    writeln!(text, "{}\n", machine(report))?;
    writeln!(text, "## Goals\n")?;
    writeln!(text, "| | goal | measured | | |")?;
    writeln!(text, "|---|---|---|---|---|")?;
    for goal in goals(&report.rows, &report.facts) {
        writeln!(text, "{}", goal_line(&goal))?;
    }
    writeln!(text, "\n## All workloads\n")?;
    writeln!(text, "| workload | contender | p50 | p99 | per second | ratio (quartiles) |")?;
    writeln!(text, "|---|---|---|---|---|---|")?;
    for row in &report.rows {
        for measured in &row.measured {
            let (p50, p99) = (time(measured.p50_seconds), time(measured.p99_seconds));
            let (name, contender) = (&row.name, &measured.contender);
            let (per_second, ratio) = (measured.per_second, ratio(row, measured));
            writeln!(text, "| `{name}` | {contender} | {p50} | {p99} | {per_second:.0} | {ratio} |")?;
        }
        for (contender, reason) in &row.left_out {
            let reason = reason.replace(['|', '\n'], " ");
            writeln!(text, "| `{}` | {contender} | left out: {reason} | | | |", row.name)?;
        }
    }
    for fact in &report.facts {
        writeln!(text, "| `{}` | {} | {:.1} {} | | | |", fact.name, fact.contender, fact.value, fact.unit)?;
    }
    Ok(text)
}

fn goal_line(goal: &Goal) -> String {
    let (limit, measured) = shown(goal);
    format!("| {} | {limit} | {measured} | {} | {} |", goal.what, verdict(goal), goal.note)
}

/// The limit and the figure as text.
pub(crate) fn shown(goal: &Goal) -> (String, String) {
    let limit = match goal.limit {
        Limit::AtMost(most) => format!("≤ {most} {}", goal.unit),
        Limit::AtLeast(least) => format!("≥ {least} {}", goal.unit),
    };
    let measured = goal.measured.map_or_else(String::new, |measured| format!("{measured:.2} {}", goal.unit));
    (limit, measured)
}

/// In one word.
pub(crate) fn verdict(goal: &Goal) -> &'static str {
    match goal.is_met() {
        Some(true) => "met",
        Some(false) => "missed",
        None => "",
    }
}
