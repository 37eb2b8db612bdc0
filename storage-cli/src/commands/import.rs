//! `kvfs import SOURCE [PATH]`
//!
//! Looks at the whole source for what cannot be stored, and stores nothing if it finds any. Files are stored one by one,
//! so that a tree may be larger than a transaction.

use super::transfer::{Extras, Mode, Order, Verb, check_directory};
use crate::cli::Import;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::local::Existing;
use crate::location::Location;
use crate::session::{Session, any_path};

pub(super) async fn run(args: Import, session: &mut Session) -> Result<Exit, Failure> {
    any_path("import", &args.path)?;
    let source = Location::parse("import", &args.source)?;
    if let Location::Local(dir) = &source {
        check_directory(dir)?;
    }
    let order = Order {
        verb: Verb::Import,
        source,
        target: Location::Here(args.path),
        hidden: args.hidden.into(),
        existing: Existing::Replace,
        extras: Extras::Keep,
        mode: Mode::Real,
    };
    order.run(session).await
}
