use etcd_client::GetResponse;
use storage_core::kv::{
    BackendError, BackendErrorKind, Consistency, Projection, RangePage, RangeRequest, Revision,
};

use crate::bounds::{Bounds, entry, get_options, number, revision};
use crate::cluster::Attempt;
use crate::error::from_client;
use crate::paging::Plan;

/// Reads a page.
pub(crate) async fn page(attempt: Attempt, request: RangeRequest) -> Result<RangePage, BackendError> {
    let mut plan = Plan::new(&request);
    let mut read = Read { projection: request.projection, at: request.at, consistency: request.consistency };
    let mut reply = loop {
        match read.send(&attempt, &plan).await {
            Ok(reply) => break reply,
            Err(error) if error.kind() == BackendErrorKind::ReplyTooLarge && plan.can_shrink() => {
                plan.shrink();
            }
            // The copy that was asked may lag behind the revision; the cluster as a whole knows.
            Err(error) if error.kind() == BackendErrorKind::FutureRevision && read.is_serializable() => {
                read.consistency = Consistency::Linearizable;
            }
            Err(error) => return Err(error),
        }
    };
    let shown = match (request.at, reply.header()) {
        (Some(at), _) => at,
        (None, Some(header)) => revision(header.revision()),
        (None, None) => {
            return Err(BackendError::new(BackendErrorKind::Internal, "unexpected: a page without a header"));
        }
    };
    let more = reply.more();
    let entries: Vec<_> = reply.take_kvs().into_iter().map(entry).collect();
    if more && entries.is_empty() {
        return Err(BackendError::new(
            BackendErrorKind::Internal,
            "unexpected: an empty page with more to come",
        ));
    }
    let next = if more { plan.next_when_full(&entries) } else { plan.next_when_exhausted(&entries) };
    Ok(RangePage { revision: shown, entries, next })
}

/// How a page is read, apart from which.
struct Read {
    projection: Projection,
    at: Option<Revision>,
    consistency: Consistency,
}

impl Read {
    /// The revision of a store in which nothing has happened. To etcd zero means the newest.
    const FIRST_REVISION: i64 = 1;

    async fn send(&self, attempt: &Attempt, plan: &Plan) -> Result<GetResponse, BackendError> {
        let Bounds { key, end } = Bounds::of(plan.range());
        let mut options = get_options(self.projection, plan.limit()).with_range(end);
        if let Some(at) = self.at {
            options = options.with_revision(number(at).max(Self::FIRST_REVISION));
        }
        if self.is_serializable() {
            options = options.with_serializable();
        }
        let reply = attempt.handles.kv.clone().get(key, Some(options)).await.map_err(from_client)?;
        if self.is_serializable() {
            attempt.witness.check_cluster(reply.header())?;
        } else {
            attempt.witness.check(reply.header())?;
        }
        Ok(reply)
    }

    fn is_serializable(&self) -> bool {
        self.consistency == Consistency::Serializable
    }
}
