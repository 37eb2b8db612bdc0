//! `kvfs cp SRC DST`, `kvfs sync SRC DST` and `kvfs diff A B`
//!
//! `cp` copies and never deletes, `sync` can make the target the same as the source.

use super::transfer::{Extras, Mode, Order, Verb, compare};
use crate::cli::{Cp, Diff, Sync};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::local::Existing;
use crate::location::Location;
use crate::session::Session;

pub(super) async fn run(args: Cp, session: &mut Session) -> Result<Exit, Failure> {
    let order = Order {
        verb: Verb::Cp,
        source: Location::parse("cp", &args.ends.source)?,
        target: Location::parse("cp", &args.ends.target)?,
        hidden: args.hidden.into(),
        existing: Existing::Replace,
        extras: Extras::Keep,
        mode: Mode::Real,
    };
    order.run(session).await
}

pub(super) async fn sync(args: Sync, session: &mut Session) -> Result<Exit, Failure> {
    let order = Order {
        verb: Verb::Sync,
        source: Location::parse("sync", &args.ends.source)?,
        target: Location::parse("sync", &args.ends.target)?,
        hidden: args.hidden.into(),
        existing: Existing::Replace,
        extras: if args.delete { Extras::Delete } else { Extras::Keep },
        mode: if args.dry_run { Mode::Dry } else { Mode::Real },
    };
    order.run(session).await
}

pub(super) async fn diff(args: Diff, session: &mut Session) -> Result<Exit, Failure> {
    let one = Location::parse("diff", &args.one)?;
    let other = Location::parse("diff", &args.other)?;
    compare::run(&one, &other, args.hidden.into(), session).await
}
