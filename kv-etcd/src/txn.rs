//! Transactions in etcd's words, and its answers in ours.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use etcd_client::{
    Compare as EtcdCompare, CompareOp, DeleteOptions, GetResponse, PutOptions, Txn as EtcdTxn, TxnOp,
    TxnOpResponse,
};
use storage_core::kv::{
    BackendError, BackendErrorKind, Compare, Get, GetReply, Key, LeaseId, Op, OpReply, Projection, Txn,
    TxnOutcome, TxnReply,
};
use tokio::runtime::Handle;

use crate::EtcdConfig;
use crate::bounds::{Bounds, entry, get_options, number, revision};
use crate::cluster::{Attempt, Call};
use crate::error::from_client;

/// Runs a transaction that [`Txn::check`] has let pass.
pub(crate) async fn run(call: &Call<'_>, txn: Txn, config: &EtcdConfig) -> Result<TxnReply, BackendError> {
    let (bytes, is_read) = (txn.request_bytes(), is_read(&txn));
    // Made anew for each attempt: there is rarely a second one, and the contents would be copied for it. On the heap from
    // the start: it has some kilobytes, and goes through many hands.
    let send = |attempt| Box::pin(send(attempt, request(&txn, config), txn.failure.len()));
    if is_read {
        // Servers before 3.5.7 can crash when the call of a transaction that only reads is cancelled. So what nobody waits
        // for any more is finished in a task of its own. It ends at the latest with its connection.
        match call.read(|attempt| Finished::new(send(attempt))).await {
            // 3.5.1, when it is full, refuses transactions that only read (etcd issue 13429), and still reads.
            Err(error) if error.kind() == BackendErrorKind::NoSpace && txn.compares.is_empty() => {
                call.read(|attempt| one_by_one(attempt, &txn.success)).await
            }
            result => result,
        }
    } else {
        call.write(bytes, send).await
    }
}

fn is_read(txn: &Txn) -> bool {
    txn.success.iter().all(|op| matches!(op, Op::Get(_)))
}

/// A call that runs to its end, whether somebody waits for that or not.
struct Finished<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    /// None when it has ended.
    call: Option<Pin<Box<F>>>,
    runtime: Handle,
}

impl<F> Finished<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    fn new(call: Pin<Box<F>>) -> Self {
        Self { call: Some(call), runtime: Handle::current() }
    }
}

impl<F> Future for Finished<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let call = self.call.as_mut().expect("a future is not polled after its end");
        let output = ready!(call.as_mut().poll(context));
        self.call = None;
        Poll::Ready(output)
    }
}

impl<F> Drop for Finished<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            self.runtime.spawn(call);
        }
    }
}

async fn send(attempt: Attempt, request: EtcdTxn, reads_otherwise: usize) -> Result<TxnReply, BackendError> {
    let Attempt { handles, witness, .. } = attempt;
    let reply = handles.kv.clone().txn(request).await.map_err(from_client)?;
    witness.check(reply.header())?;
    let revision = reply.header().map(|header| revision(header.revision()));
    let revision = revision.ok_or_else(|| unexpected("a transaction's answer without a header"))?;
    let responses = reply.op_responses().into_iter();
    let outcome = if reply.succeeded() {
        TxnOutcome::Matched(responses.map(op_reply).collect::<Result<_, _>>()?)
    } else {
        TxnOutcome::NotMatched(responses.take(reads_otherwise).map(read_reply).collect::<Result<_, _>>()?)
    };
    Ok(TxnReply { revision, outcome })
}

/// Makes reads of a transaction one after the other, all at the revision that the first has seen.
async fn one_by_one(attempt: Attempt, reads: &[Op]) -> Result<TxnReply, BackendError> {
    let Attempt { handles, witness, .. } = attempt;
    let mut kv = handles.kv.clone();
    let mut seen = None;
    let mut replies = Vec::with_capacity(reads.len());
    for read in reads {
        let Op::Get(get) = read else { return Err(unexpected("a write among reads")) };
        let Bounds { key, end } = Bounds::of(&get.range);
        let limit = get.limit.map_or(0, std::num::NonZeroU32::get);
        let options = get_options(get.projection, limit).with_range(end);
        let options = options.with_revision(seen.map_or(0, number));
        let reply = kv.get(key, Some(options)).await.map_err(from_client)?;
        witness.check(reply.header())?;
        let header = reply.header().ok_or_else(|| unexpected("a read's answer without a header"))?;
        seen.get_or_insert(revision(header.revision()));
        replies.push(OpReply::Get(get_reply(reply)));
    }
    Ok(TxnReply { revision: seen.unwrap_or_default(), outcome: TxnOutcome::Matched(replies) })
}

fn request(txn: &Txn, config: &EtcdConfig) -> EtcdTxn {
    let compares: Vec<_> = txn.compares.iter().cloned().map(compare).collect();
    let success: Vec<_> = txn.success.iter().cloned().map(op).collect();
    let mut failure: Vec<_> = txn.failure.iter().map(get).collect();
    if success.is_empty() && failure.is_empty() {
        // etcd would answer a transaction without any operation from its own copy, however old. A read makes it
        // linearizable.
        failure.push(get(&Get::key(config.probe_key()).with_projection(Projection::KeysOnly)));
    }
    EtcdTxn::new().when(compares).and_then(success).or_else(failure)
}

fn compare(compare: Compare) -> EtcdCompare {
    // A key that does not exist compares as one that was created at revision zero.
    let created = |key: Key, op| EtcdCompare::create_revision(key.into_bytes(), op, 0);
    match compare {
        Compare::Absent(key) => created(key, CompareOp::Equal),
        Compare::Present(key) => created(key, CompareOp::Greater),
        // So it compares as one that was put at revision zero, too, where no key ever was.
        Compare::ModRevision(key, at) if at.0 == 0 => created(key, CompareOp::Less),
        Compare::ModRevision(key, at) => {
            EtcdCompare::mod_revision(key.into_bytes(), CompareOp::Equal, number(at))
        }
        // Holds if it holds for every key of the range, or, if there is none, for a key that does not exist.
        Compare::RangeEmpty(range) => {
            let Bounds { key, end } = Bounds::of(&range);
            EtcdCompare::create_revision(key, CompareOp::Equal, 0).with_range(end)
        }
    }
}

fn op(op: Op) -> TxnOp {
    match op {
        Op::Put { key, value, lease } => {
            let options = PutOptions::new().with_lease(lease.map_or(0, LeaseId::get));
            TxnOp::put(key.into_bytes(), value, Some(options))
        }
        Op::Delete(key) => TxnOp::delete(key.into_bytes(), None),
        Op::DeleteRange(range) => {
            let Bounds { key, end } = Bounds::of(&range);
            TxnOp::delete(key, Some(DeleteOptions::new().with_range(end)))
        }
        Op::Get(read) => get(&read),
    }
}

fn get(get: &Get) -> TxnOp {
    let Bounds { key, end } = Bounds::of(&get.range);
    // To etcd no limit is zero.
    let limit = get.limit.map_or(0, std::num::NonZeroU32::get);
    TxnOp::get(key, Some(get_options(get.projection, limit).with_range(end)))
}

fn op_reply(response: TxnOpResponse) -> Result<OpReply, BackendError> {
    match response {
        TxnOpResponse::Put(_) => Ok(OpReply::Put),
        TxnOpResponse::Delete(deleted) => Ok(OpReply::Deleted(u64::try_from(deleted.deleted()).unwrap_or(0))),
        TxnOpResponse::Get(found) => Ok(OpReply::Get(get_reply(found))),
        TxnOpResponse::Txn(_) => Err(unexpected("the answer to a nested transaction")),
    }
}

fn read_reply(response: TxnOpResponse) -> Result<GetReply, BackendError> {
    match response {
        TxnOpResponse::Get(found) => Ok(get_reply(found)),
        _ => Err(unexpected("the answer to a write instead of a read")),
    }
}

fn get_reply(mut found: GetResponse) -> GetReply {
    GetReply { more: found.more(), entries: found.take_kvs().into_iter().map(entry).collect() }
}

/// What cannot happen while both sides keep to the protocol.
fn unexpected(what: &str) -> BackendError {
    BackendError::new(BackendErrorKind::Internal, format!("unexpected: {what}"))
}

#[cfg(test)]
mod tests {
    use storage_core::kv::{KeyRange, Revision};

    use super::*;

    fn config() -> EtcdConfig {
        EtcdConfig::builder(["http://localhost:1"]).with_prefix("/p").build().unwrap()
    }

    fn text(txn: &Txn) -> String {
        format!("{:?}", request(txn, &config()))
    }

    #[test]
    fn a_transaction_without_operations_gets_a_read_inside_the_prefix() {
        let bytes = format!("{:?}", b"/p/format");
        let compares_only = Txn::new().when(Compare::Absent(Key::new("k")));
        for txn in [Txn::new(), compares_only.clone()] {
            let text = text(&txn);
            assert!(text.contains("RangeRequest") && text.contains(&bytes), "{text}");
            assert!(text.contains("serializable: false"), "{text}");
        }
        let with_read = compares_only.otherwise(Get::key(Key::new("k")));
        assert!(!text(&with_read).contains(&bytes));
    }

    #[test]
    fn no_key_was_ever_put_at_revision_zero() {
        let zero = text(&Txn::new().when(Compare::ModRevision(Key::new("k"), Revision::ZERO)));
        assert!(zero.contains("Less"), "{zero}");
    }

    #[test]
    fn a_delete_of_an_empty_range_is_not_a_delete_of_a_key() {
        let range = KeyRange::new(Key::new("b"), Key::new(""));
        let text = text(&Txn::new().then(Op::DeleteRange(range)));
        assert!(text.contains("range_end: [98]"), "{text}");
    }
}
