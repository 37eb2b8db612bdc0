//! The progress bar: on a terminal's standard error, nowhere else.

use indicatif::{ProgressBar, ProgressStyle};

use crate::output::Format;

/// A bar for this many steps. `indicatif` hides it where standard error is no terminal.
pub(crate) fn bar(format: Format, steps: usize, what: &'static str) -> ProgressBar {
    if format == Format::Json {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}").expect("the template is valid");
    ProgressBar::new(steps as u64).with_style(style).with_message(what)
}
