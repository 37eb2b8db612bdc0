//! How much the command says beside what it was asked for, and in which colours.

use std::io;

use anstream::ColorChoice;
use clap::{ArgAction, Args, ValueEnum};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry};

use crate::output::Format;

/// What the user wants to be told.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Telling {
    /// Say nothing but what was asked for and what failed: no progress, no sums in the end, no warnings.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,

    /// Say on standard error which store is used and how long it took; twice for what is done, three times for
    /// every call.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,

    /// When to use colours. `auto` is on a terminal, unless `NO_COLOR` or `CLICOLOR` says otherwise.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: Color,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verbosity {
    Quiet,
    Normal,
    Verbose,
}

impl Telling {
    pub(crate) fn verbosity(self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, 0) => Verbosity::Normal,
            (false, _) => Verbosity::Verbose,
        }
    }

    /// Lets everything that is written from now on have colours or none.
    pub(crate) fn choose_colors(self) {
        self.color.choice().write_global();
    }

    /// Shows the operations, calls and events of our crates on standard error as they end, if that is wanted. Their fields hold no secrets.
    pub(crate) fn show_events(self, format: Format) {
        let level = match self.verbose {
            0 | 1 => return,
            2 => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        };
        let ours = Targets::new().with_target("storage_core", level).with_target("kv_etcd", level);
        let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_span_events(FmtSpan::CLOSE);
        let lines = match format {
            Format::Text => lines.with_ansi(false).boxed(),
            Format::Json => lines.json().boxed(),
        };
        // There is none yet: this is the only place that sets one.
        let _ = tracing::subscriber::set_global_default(Registry::default().with(lines.with_filter(ours)));
    }
}

impl Color {
    fn choice(self) -> ColorChoice {
        match self {
            Self::Auto => ColorChoice::Auto,
            Self::Always => ColorChoice::Always,
            Self::Never => ColorChoice::Never,
        }
    }
}

/// The colours that these arguments ask for, though they may be wrong otherwise: for the text of `--help`.
pub(crate) fn colors_asked_for<'a>(arguments: impl IntoIterator<Item = &'a str>) -> clap::ColorChoice {
    let mut arguments = arguments.into_iter().take_while(|argument| *argument != "--");
    let mut choice = clap::ColorChoice::Auto;
    while let Some(argument) = arguments.next() {
        let when = match argument.strip_prefix("--color") {
            Some("") => arguments.next(),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        };
        choice = match when.and_then(|when| Color::from_str(when, false).ok()) {
            Some(Color::Always) => clap::ColorChoice::Always,
            Some(Color::Never) => clap::ColorChoice::Never,
            Some(Color::Auto) => clap::ColorChoice::Auto,
            None => choice,
        };
    }
    choice
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_colours_of_the_help_are_those_asked_for() {
        for (line, choice) in [
            ("kvfs --help", clap::ColorChoice::Auto),
            ("kvfs --color never --help", clap::ColorChoice::Never),
            ("kvfs --help --color=always", clap::ColorChoice::Always),
            ("kvfs --help --color", clap::ColorChoice::Auto),
            ("kvfs -- --color=always", clap::ColorChoice::Auto),
        ] {
            assert_eq!(colors_asked_for(line.split(' ')), choice, "{line}");
        }
    }
}
