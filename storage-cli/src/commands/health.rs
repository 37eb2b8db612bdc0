//! `kvfs health`

mod clock;
mod concerns;
mod shown;

use std::time::{Duration, SystemTime};

use kv_etcd::EtcdHealth;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Format, report};
use crate::session::Session;
use crate::store_url::Store;
use clock::Clock;

pub(super) async fn run(session: &mut Session) -> Result<Exit, Failure> {
    let place = session.place().await?;
    // Side by side, so that a store that is dead is told of after one dial timeout.
    let (reach, clock) = match &place.store {
        Store::Memory => (Reach::Process, clock::check(&place, Duration::MAX).await),
        Store::Sqlite(_) => {
            // A store that cannot be opened does not serve.
            place.open().await?;
            (Reach::File, clock::check(&place, Duration::MAX).await)
        }
        Store::Etcd(config) => {
            let clock = clock::check(&place, config.dial_timeout());
            let (etcd, clock) = tokio::join!(EtcdHealth::check(config), clock);
            (Reach::Etcd(etcd.map_err(|error| place.not_connected(&error))?), clock)
        }
    };
    let seen = Seen { store: place.store.to_string(), reach, clock };
    match session.output.format() {
        Format::Json => {
            for endpoint in seen.endpoints() {
                session.output.object(&shown::EndpointJson::from(endpoint))?;
            }
            session.output.object(&shown::StoreJson::from(&seen))?;
        }
        Format::Text => {
            for line in shown::lines(&seen, session.output.columns()) {
                session.output.line(line)?;
            }
        }
    }
    for (kind, what) in concerns::of(&seen, now()) {
        session.output.caution(kind, what);
    }
    if seen.is_serving() {
        return Ok(Exit::Ok);
    }
    let store = &seen.store;
    let message = format!(
        "health: the store {store} does not serve: no member answers that knows a leader; is the server at {store} \
         running? check {}",
        place.to_check()
    );
    let failure = Failure::new(Exit::Unavailable, "unavailable", message);
    report(session.output.format(), &failure);
    Ok(failure.exit())
}

/// What there is to tell of a store.
struct Seen {
    store: String,
    reach: Reach,
    clock: Result<Clock, Failure>,
}

/// Where the store is, and how its servers are if it has any.
enum Reach {
    Process,
    File,
    Etcd(EtcdHealth),
}

impl Seen {
    fn etcd(&self) -> Option<&EtcdHealth> {
        match &self.reach {
            Reach::Process | Reach::File => None,
            Reach::Etcd(etcd) => Some(etcd),
        }
    }

    fn is_serving(&self) -> bool {
        self.etcd().is_none_or(EtcdHealth::is_serving)
    }

    fn endpoints(&self) -> &[kv_etcd::EndpointHealth] {
        self.etcd().map_or(&[], |etcd| &etcd.endpoints)
    }
}

#[expect(clippy::disallowed_methods, reason = "certificates end by the wall clock")]
fn now() -> SystemTime {
    SystemTime::now()
}
