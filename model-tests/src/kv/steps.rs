//! Random steps. What they are about is chosen when they are made, from what there is then.

use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use storage_core::kv::{
    Compare, Consistency, Get, Key, KeyRange, LeaseId, Op, Projection, RangeRequest, Revision, Txn,
};

/// Something that is done, by one of the clients.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) client: usize,
    pub(super) action: Action,
}

#[derive(Clone, Debug)]
pub(super) enum Action {
    Call(Draft, Trouble),
    /// Goes on with the page that was read last, with this hint instead of its own.
    NextPage(Option<u64>),
    Compact(At),
    Sleep(Pause),
    OpenWatch(KeyRange, At),
    ReadWatch(usize),
    DropWatch(usize),
    /// All watches of the client break.
    BreakWatches,
}

/// A call whose leases are the numbers of those known, and whose revisions are still to be found.
#[derive(Clone, Debug)]
pub(super) enum Draft {
    Txn(Txn),
    Range(RangeRequest, Option<At>),
    Grant(Duration),
    KeepAlive(LeaseId),
    TimeToLive(LeaseId),
    Revoke(LeaseId),
}

/// What happens to a call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Trouble {
    None,
    Refuse,
    LoseAnswer,
    Late(Duration),
    Slow(Duration),
    /// It is dropped when it has been polled once.
    Drop,
    NoSpace {
        applied: bool,
    },
    EndLeases,
    DropWatches,
}

/// A revision.
#[derive(Clone, Copy, Debug)]
pub(super) enum At {
    /// So many before the newest.
    Back(u64),
    /// So many after the newest.
    Ahead(u64),
    /// So many after the compacted one.
    Compacted(u64),
    Zero,
    Largest,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Pause {
    For(Duration),
    /// Until the lease that ends next does, or a little before or after.
    UntilNextEnd(Edge),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Edge {
    Before,
    At,
    After,
}

/// All pauses are so long or a multiple of it. Late calls come in between, so that nothing happens at the same time.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// Random steps of two clients.
pub(super) fn steps(troubled: bool) -> impl Strategy<Value = Vec<Step>> {
    let trouble = if troubled { trouble().boxed() } else { Just(Trouble::None).boxed() };
    let action = prop_oneof![
        // Boxed: what a strategy keeps for shrinking is large, and is moved about on the stack.
        20 => (draft().boxed(), trouble).prop_map(|(draft, trouble)| Action::Call(draft, trouble)).boxed(),
        2 => any::<Option<u64>>().prop_map(Action::NextPage),
        1 => at().prop_map(Action::Compact),
        3 => pause().prop_map(Action::Sleep),
        2 => (range(), at()).prop_map(|(range, at)| Action::OpenWatch(range, at)),
        5 => (0..4_usize).prop_map(Action::ReadWatch),
        1 => (0..4_usize).prop_map(Action::DropWatch),
        1 => Just(if troubled { Action::BreakWatches } else { Action::Sleep(Pause::For(TICK)) }),
    ];
    vec((0..2_usize, action.boxed()).prop_map(|(client, action)| Step { client, action }), 0..100)
}

fn trouble() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        8 => Just(Trouble::None),
        1 => Just(Trouble::Refuse),
        2 => Just(Trouble::LoseAnswer),
        2 => (0..400_u32).prop_map(|ticks| Trouble::Late(TICK * ticks + TICK / 2)),
        1 => (1..400_u32).prop_map(|ticks| Trouble::Slow(TICK * ticks)),
        1 => Just(Trouble::Drop),
        1 => any::<bool>().prop_map(|applied| Trouble::NoSpace { applied }),
        1 => Just(Trouble::EndLeases),
        1 => Just(Trouble::DropWatches),
    ]
}

fn at() -> impl Strategy<Value = At> {
    prop_oneof![
        6 => (0..6_u64).prop_map(At::Back),
        2 => (0..3_u64).prop_map(At::Compacted),
        1 => (1..3_u64).prop_map(At::Ahead),
        1 => Just(At::Zero),
        1 => Just(At::Largest),
    ]
}

fn pause() -> impl Strategy<Value = Pause> {
    prop_oneof![
        (1..600_u32).prop_map(|ticks| Pause::For(TICK * ticks)),
        prop_oneof![Just(Edge::Before), Just(Edge::At), Just(Edge::After)].prop_map(Pause::UntilNextEnd),
    ]
}

fn draft() -> impl Strategy<Value = Draft> {
    prop_oneof![
        12 => txn().prop_map(Draft::Txn).boxed(),
        6 => request().prop_map(|(request, at)| Draft::Range(request, at)).boxed(),
        3 => (0..6_000_u64).prop_map(|ms| Draft::Grant(Duration::from_millis(ms))),
        2 => lease().prop_map(Draft::KeepAlive),
        2 => lease().prop_map(Draft::TimeToLive),
        1 => lease().prop_map(Draft::Revoke),
    ]
}

/// The number of a lease; of those that were granted most of the time.
fn lease() -> impl Strategy<Value = LeaseId> {
    (1..8_i64).prop_map(|number| LeaseId::new(number).expect("not zero"))
}

/// Keys that are neighbours, beginnings and successors of each other; now and then the one that is none.
fn key() -> impl Strategy<Value = Key> {
    let key = |bytes: &'static [u8]| Just(Key::new(bytes));
    prop_oneof![
        10 => key(b"a"), 10 => key(b"b"), 5 => key(b"c"), 3 => key(b"a\0"), 3 => key(b"a/b"), 3 => key(b"ab"),
        3 => key(b"\xff"), 3 => key(b"\xff\xff"), 1 => key(b""),
    ]
}

fn range() -> impl Strategy<Value = KeyRange> {
    prop_oneof![
        4 => key().prop_map(KeyRange::single),
        4 => (key(), key()).prop_map(|(start, end)| KeyRange::new(start, end)),
        2 => key().prop_map(KeyRange::from),
        2 => key().prop_map(|key| KeyRange::prefix(key.into_bytes())),
        4 => Just(KeyRange::prefix(Bytes::new())),
    ]
}

fn projection() -> impl Strategy<Value = Projection> {
    prop_oneof![Just(Projection::KeysAndValues), Just(Projection::KeysOnly)]
}

prop_compose! {
    fn request()(
        range in range(),
        cursor in prop::option::weighted(0.2, (key(), any::<u64>())),
        limit in prop::option::of(1..4_u32),
        projection in projection(),
        serializable in any::<bool>(),
        at in prop::option::of(at()),
    ) -> (RangeRequest, Option<At>) {
        let mut request = RangeRequest::new(range).with_projection(projection);
        request.limit = limit.and_then(NonZeroU32::new);
        if let Some((key, hint)) = cursor {
            let mut cursor = storage_core::kv::Cursor::at(key);
            cursor.hint = hint;
            request = request.with_cursor(cursor);
        }
        if serializable {
            request = request.with_consistency(Consistency::Serializable);
        }
        (request, at)
    }
}

fn get() -> impl Strategy<Value = Get> {
    (range(), 0..4_u32, projection()).prop_map(|(range, limit, projection)| {
        let get = Get::range(range).with_projection(projection);
        match NonZeroU32::new(limit) {
            Some(limit) => get.with_limit(limit),
            None => get,
        }
    })
}

/// Revisions are found later: 0 stays, 1 becomes that of the key, others count back from the newest.
fn compare() -> impl Strategy<Value = Compare> {
    prop_oneof![
        key().prop_map(Compare::Absent),
        key().prop_map(Compare::Present),
        (key(), prop_oneof![2 => Just(1), 1 => 0..6_u64])
            .prop_map(|(key, number)| Compare::ModRevision(key, Revision(number))),
        range().prop_map(Compare::RangeEmpty),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    // Some values are larger than small limits allow.
    let value = prop_oneof![9 => vec(any::<u8>(), 0..3), 1 => (35..45_usize).prop_map(|len| vec![0; len])];
    let lease = prop::option::weighted(0.4, lease());
    prop_oneof![
        8 => (key(), value, lease).prop_map(|(key, value, lease)| Op::Put { key, value: value.into(), lease }),
        2 => key().prop_map(Op::Delete),
        1 => range().prop_map(Op::DeleteRange),
        2 => get().prop_map(Op::Get),
    ]
}

prop_compose! {
    fn txn()(
        compares in mostly_few(compare(), 2),
        success in mostly_few(op(), 4),
        failure in mostly_few(get(), 2),
    ) -> Txn {
        let txn = compares.into_iter().fold(Txn::new(), Txn::when);
        failure.into_iter().fold(success.into_iter().fold(txn, Txn::then), Txn::otherwise)
    }
}

/// Fewer than so many most of the time, else up to eight.
fn mostly_few<S>(of: S, few: usize) -> impl Strategy<Value = Vec<S::Value>>
where
    S: Strategy + 'static,
    S::Value: 'static,
{
    let of = of.boxed();
    prop_oneof![8 => vec(of.clone(), 0..few), 1 => vec(of, few..9)]
}
