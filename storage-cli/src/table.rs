//! Tables: a heading, and columns that are as wide as they must be for people, or with a tab behind each for `cut` and the
//! like.

use std::iter;

/// How the columns of a table are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Columns {
    /// Each is as wide as its widest cell: on a terminal.
    Aligned,
    /// A tab stands between two.
    Tabs,
}

/// The lines of a table. Cells must be of one line, without tabs.
pub(crate) fn lines<const N: usize>(
    columns: Columns,
    heading: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> Vec<String> {
    let rows = iter::once(heading.map(str::to_owned)).chain(rows);
    match columns {
        Columns::Aligned => aligned(&rows.collect::<Vec<_>>()),
        Columns::Tabs => rows.map(|row| row.join("\t")).collect(),
    }
}

fn aligned<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_for_people_and_separated_for_programs() {
        let rows = || [["ä".to_owned(), "1".to_owned()], ["bcd".to_owned(), "22".to_owned()]];
        let heading = ["X", "N"];
        assert_eq!(lines(Columns::Aligned, heading, rows()), ["X    N", "ä    1", "bcd  22"]);
        assert_eq!(lines(Columns::Tabs, heading, rows()), ["X\tN", "ä\t1", "bcd\t22"]);
    }
}
