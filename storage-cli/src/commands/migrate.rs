//! `kvfs migrate --from LAYOUT SOURCE DESTINATION`
//!
//! A pass surveys both trees, copies what the destination does not have as the source has it, loads every copy back, and
//! then compares both trees anew. It can be repeated as often as one likes, while members go on writing to the source.

mod cut_over;
mod pass;
mod plan;
mod report;

use std::fs;

use storage_core::LayoutChoice;

use self::pass::pass;
use self::report::Report;
use crate::choice::Choice;
use crate::cli::Migrate;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::session::{Place, Session, Tree};
use crate::store_url::Store;

pub(super) async fn run(args: Migrate, session: &mut Session) -> Result<Exit, Failure> {
    let what = format!("migrate {:?}", args.source);
    Interrupt::over(what, async |interrupt| carry_out(args, &interrupt, session).await).await
}

async fn carry_out(args: Migrate, interrupt: &Interrupt, session: &mut Session) -> Result<Exit, Failure> {
    let mut source = place(&args.source, "SOURCE", session).await?;
    let destination = place(&args.destination, "DESTINATION", session).await?;
    if ![LayoutChoice::Detect, args.from.into()].contains(&source.options.layout) {
        return Err(Failure::usage("migrate: the URL of the source asks for another layout than --from"));
    }
    source.options = source.options.with_layout(args.from);
    if share_keys(&source, &destination) {
        let message = "migrate: source and destination are the same tree, or one lies in the other; give the destination \
                       a prefix of its own";
        return Err(Failure::usage(message));
    }
    for place in [&source, &destination] {
        session.output.inform("store", format!("{} is {}", place.to_check(), place.store));
    }
    let what = "migrate";
    let from = interrupt.unless(what, source.open()).await?;
    let to = interrupt.unless(what, destination.open()).await?;
    let ends = Ends { from: &from, to: &to };
    let mut report = Report::new(session.output.format());
    let done = if args.cut_over {
        cut_over::run(ends, &args, &destination, &mut report, interrupt, session).await
    } else {
        pass(ends, &args, &mut report, interrupt, session).await
    };
    // Its locks, if it took any.
    let closed = from.close().await;
    done?;
    closed.map_err(|error| Failure::storage_at_large("migrate", &error))?;
    report.end(session)
}

/// The trees that are open.
#[derive(Clone, Copy)]
struct Ends<'t> {
    from: &'t Tree,
    to: &'t Tree,
}

/// The place of a store URL that is this argument.
async fn place(url: &str, argument: &str, session: &Session) -> Result<Place, Failure> {
    let place = session.place_of(Choice::Url(url.to_owned())).await?;
    Ok(place.with_to_check(argument))
}

/// Whether two places are in one store, and one in the other.
fn share_keys(one: &Place, other: &Place) -> bool {
    let (one, other) = match (&one.store, &other.store) {
        (Store::Etcd(one), Store::Etcd(other)) => (one, other),
        // Each file has one tree.
        (Store::Sqlite(one), Store::Sqlite(other)) => {
            let [one, other] =
                [one, other].map(|file| fs::canonicalize(file).unwrap_or_else(|_| file.clone()));
            return one == other;
        }
        _ => return false,
    };
    let same_store = one.endpoints().iter().any(|endpoint| other.endpoints().contains(endpoint));
    let [one, other] = [one, other].map(|config| format!("{}/", config.prefix().trim_end_matches('/')));
    same_store && (one.starts_with(&other) || other.starts_with(&one))
}

#[cfg(test)]
mod tests;
