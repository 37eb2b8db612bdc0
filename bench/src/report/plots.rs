//! The plots of `docs/performance.md`.

mod chart;

use std::path::{Path, PathBuf};

use anyhow::Result;

use self::chart::{Bars, Lines};
use crate::row::Row;

/// Operations in the plot of latencies, with what they are called there.
const OPERATIONS: [(&str, &str); 8] = [
    ("etcd/store-new/2KiB", "store"),
    ("etcd/load/2KiB", "load"),
    ("etcd/stat/file", "stat"),
    ("etcd/exists/file", "exists"),
    ("etcd/delete/file", "delete"),
    ("etcd/store-many/3", "store 3"),
    ("etcd/load-many/3", "load 3"),
    ("etcd/lock-and-unlock", "lock, unlock"),
];
const MILLIS: f64 = 1e3;

/// Draws what there are rows for, and answers where.
pub(crate) fn draw(rows: &[Row], directory: &Path) -> Result<Vec<PathBuf>> {
    let mut drawn = Vec::new();
    let bars = latencies(rows);
    if !bars.groups.is_empty() {
        drawn.push(bars.draw(&directory.join("latency.svg"))?);
    }
    let lists = Lines {
        title: "List of all files of a tree on etcd, by name",
        x: "files",
        y: "ms (median)",
        series: series(rows, "trees/list-recursive/wide-", ""),
    };
    let hand_overs = Lines {
        title: "From the release of a lock until the next one has it, etcd",
        x: "waiters",
        y: "ms (median)",
        series: series(rows, "hand-over/", "-waiters"),
    };
    for (lines, name) in [(lists, "lists.svg"), (hand_overs, "hand-over.svg")] {
        if lines.series.iter().any(|(_, points)| points.len() > 1) {
            drawn.push(lines.draw(&directory.join(name))?);
        }
    }
    Ok(drawn)
}

fn latencies(rows: &[Row]) -> Bars {
    let mut bars = Bars {
        title: "Latency on etcd, one client, 2 KiB",
        y: "ms (median)",
        groups: Vec::new(),
        names: Vec::new(),
    };
    let found = OPERATIONS.iter().filter_map(|(name, called)| {
        let row = rows.iter().find(|row| row.name == *name)?;
        Some((row, *called))
    });
    for (row, called) in found {
        for measured in &row.measured {
            if !bars.names.contains(&measured.contender) {
                bars.names.push(measured.contender.clone());
            }
        }
        let values = bars.names.iter().map(|name| Some(row.of(name)?.p50_seconds * MILLIS)).collect();
        bars.groups.push((called.to_owned(), values));
    }
    bars
}

/// A line for each contender: the medians of the workloads whose names are a number between these.
fn series(rows: &[Row], before: &str, after: &str) -> Vec<(String, Vec<(f64, f64)>)> {
    let mut series: Vec<(String, Vec<(f64, f64)>)> = Vec::new();
    for row in rows {
        let number = row.name.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        let Some(x) = number.and_then(|number| number.parse().ok()) else { continue };
        for measured in &row.measured {
            let point = (x, measured.p50_seconds * MILLIS);
            match series.iter_mut().find(|(name, _)| *name == measured.contender) {
                Some((_, points)) => points.push(point),
                None => series.push((measured.contender.clone(), vec![point])),
            }
        }
    }
    for (_, points) in &mut series {
        points.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    }
    series
}
