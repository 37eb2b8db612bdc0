//! `kvfs export PATH TARGET`
//!
//! A file that is damaged, or that stands in the way, is told of and the others are exported all the same; a store or
//! a disk that fails ends it. Nothing is written outside the target: a symbolic link below a directory is never followed.
//! (Somebody who swaps directories for links at the same time is not held off; who can write there owns it anyway.)

use super::transfer::{Extras, Hidden, Mode, Order, Verb};
use crate::cli::Export;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::local::Existing;
use crate::location::Location;
use crate::session::{Session, any_path};

pub(super) async fn run(args: Export, session: &mut Session) -> Result<Exit, Failure> {
    any_path("export", &args.path)?;
    let order = Order {
        verb: Verb::Export,
        target: Location::parse("export", &args.target)?,
        source: Location::Here(args.path),
        hidden: Hidden::LeftOut,
        existing: if args.force { Existing::Replace } else { Existing::Keep },
        extras: Extras::Keep,
        mode: Mode::Real,
    };
    order.run(session).await
}
