//! `kvfs migrate --from LAYOUT SOURCE DESTINATION`
//!
//! A pass surveys both trees, copies what the destination does not have as the source has it, loads every copy back, and
//! then compares both trees anew. It can be repeated as often as one likes, while members go on writing to the source.

mod cut_over;
mod pass;
mod plan;
mod report;

use storage_core::LayoutChoice;

use self::pass::pass;
use self::report::Report;
use crate::cli::Migrate;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::{Place, Session};
use crate::store_url::Store;

pub(super) async fn run(args: Migrate, session: &mut Session) -> Result<Exit, Failure> {
    let mut source = Place::named(&args.source, "SOURCE")?;
    let destination = Place::named(&args.destination, "DESTINATION")?;
    if ![LayoutChoice::Detect, args.from.into()].contains(&source.options.layout) {
        return Err(Failure::usage("migrate: the URL of the source asks for another layout than --from"));
    }
    source.options = source.options.with_layout(args.from);
    if share_keys(&source, &destination) {
        let message = "migrate: source and destination are the same tree, or one lies in the other; give the destination \
                       a prefix of its own";
        return Err(Failure::usage(message));
    }
    let (from, to) = (source.open().await?, destination.open().await?);
    let mut report = Report::new(session.output.format());
    let done = if args.cut_over {
        cut_over::run(&from, &to, &args, &destination, &mut report, session).await
    } else {
        pass(&from, &to, &args, &mut report, session).await.map(drop)
    };
    // Its locks, if it took any.
    let closed = from.close().await;
    done?;
    closed.map_err(|error| Failure::storage_at_large("migrate", &error))?;
    report.end(session)
}

/// Whether two places are in one store, and one in the other.
fn share_keys(one: &Place, other: &Place) -> bool {
    let (Store::Etcd(one), Store::Etcd(other)) = (&one.store, &other.store) else { return false };
    let same_store = one.endpoints().iter().any(|endpoint| other.endpoints().contains(endpoint));
    let [one, other] = [one, other].map(|config| format!("{}/", config.prefix().trim_end_matches('/')));
    same_store && (one.starts_with(&other) || other.starts_with(&one))
}

#[cfg(test)]
mod tests;
