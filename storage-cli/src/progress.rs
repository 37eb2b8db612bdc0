//! The progress bar: on a terminal's standard error, nowhere else.

use indicatif::{ProgressBar, ProgressStyle};

use crate::output::Output;

/// A bar for this many steps. `indicatif` hides it where standard error is no terminal.
pub(crate) fn bar(output: &Output, steps: usize, what: &'static str) -> ProgressBar {
    if !output.shows_progress() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}").expect("the template is valid");
    ProgressBar::new(steps as u64).with_style(style).with_message(what)
}

/// Counts what nobody knows the number of.
pub(crate) fn counter(output: &Output, what: &'static str) -> ProgressBar {
    if !output.shows_progress() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {msg} {human_pos}").expect("the template is valid");
    ProgressBar::new_spinner().with_style(style).with_message(what)
}
