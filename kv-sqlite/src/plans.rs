//! How SQLite carries out the statements: by an index, all of them, and not longer because more lies in the store.

use std::num::NonZeroU32;
use std::time::Duration;

use rusqlite::{Connection, StatementStatus};
use storage_core::kv::{Get, Key, KeyRange, Op, Projection, RangeRequest, Revision, Txn};
use tokio::time::Instant;

use crate::change::Write;
use crate::options::SqliteOptions;
use crate::place::Place;
use crate::{change, history, lease, open, page, txn, versions};

struct File {
    connection: Connection,
    _folder: tempfile::TempDir,
}

fn file() -> File {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::find_or_make(&folder.path().join("store.db")).unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    let connection = open::for_writing(&place, &SqliteOptions::default(), deadline).unwrap();
    connection.execute_batch("PRAGMA synchronous = OFF").unwrap();
    File { connection, _folder: folder }
}

/// Puts so many keys, in order, each twice.
fn fill(connection: &Connection, keys: u32) {
    for value in ["first", "second"] {
        write(connection, |write| {
            let mut change = write.change();
            for number in 0..keys {
                change.put(&key(number), &value.into(), None).unwrap();
            }
            change.commit();
        });
    }
}

fn write<T>(connection: &Connection, work: impl FnOnce(&mut Write<'_>) -> T) -> T {
    let transaction = connection.unchecked_transaction().unwrap();
    let mut write = Write::begin(&transaction).unwrap();
    let done = work(&mut write);
    write.finish(10_000).unwrap();
    transaction.commit().unwrap();
    done
}

fn key(number: u32) -> Key {
    Key::new(format!("key/{number:09}"))
}

fn plan(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    for parameter in 1..=statement.parameter_count() {
        statement.raw_bind_parameter(parameter, 1).unwrap();
    }
    let mut rows = statement.raw_query();
    let mut lines = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        lines.push(row.get(3).unwrap());
    }
    lines
}

#[test]
fn every_statement_uses_an_index() {
    let file = file();
    fill(&file.connection, 1_000);
    let statements = [
        versions::NEWEST,
        versions::IN_FORCE,
        versions::NEXT_SUPERSEDED,
        versions::VALUE,
        versions::WALK,
        history::CHANGES,
        change::REPLACE,
        change::DELETE,
        lease::KEYS_OF,
        lease::FIND,
    ];
    // With what SQLite guesses, and with what it knows once somebody has let it count.
    for analysis in ["", "ANALYZE"] {
        file.connection.execute_batch(analysis).unwrap();
        for sql in statements.into_iter().chain(history::FORGET) {
            let plan = plan(&file.connection, sql);
            assert!(!plan.is_empty(), "{sql}");
            for line in plan {
                let is_good = ["SEARCH", "LIST SUBQUERY", "CREATE BLOOM FILTER"]
                    .iter()
                    .any(|step| line.starts_with(step));
                assert!(is_good, "{sql}: {line}");
            }
        }
        let first = plan(&file.connection, lease::FIRST_TO_END);
        assert_eq!(
            first,
            ["SCAN leases USING COVERING INDEX leases_by_deadline"],
            "which stops at the first"
        );
        let keys = plan(&file.connection, lease::KEYS_OF);
        assert_eq!(keys, ["SEARCH newest USING COVERING INDEX newest_by_lease (lease=?)"]);
    }
}

/// How many steps the machine inside SQLite takes, in the statements that matter.
fn steps(connection: &Connection, work: impl FnOnce()) -> i32 {
    let count = || {
        let statements = [
            versions::NEWEST,
            versions::IN_FORCE,
            versions::NEXT_SUPERSEDED,
            versions::VALUE,
            versions::WALK,
            change::REPLACE,
        ];
        let steps = |sql| connection.prepare_cached(sql).unwrap().reset_status(StatementStatus::VmStep);
        statements.into_iter().map(steps).sum::<i32>()
    };
    count();
    work();
    count()
}

#[test]
fn a_call_costs_the_same_whatever_lies_in_the_store() {
    let costs = [1_000, 50_000].map(|keys| {
        let file = file();
        fill(&file.connection, keys);
        let connection = &file.connection;
        let range = |request: RangeRequest| {
            steps(connection, || assert!(!page::range(connection, &request).unwrap().entries.is_empty()))
        };
        let some = RangeRequest::new(KeyRange::from(key(keys / 2))).with_limit(NonZeroU32::new(100).unwrap());
        let put = Txn::new()
            .then(Op::Put { key: key(keys / 2), value: "third".into(), lease: None })
            .then(Op::Get(Get::key(key(1))));
        [
            range(RangeRequest::new(KeyRange::single(key(keys / 2)))),
            range(some.clone()),
            range(some.clone().with_projection(Projection::KeysOnly)),
            range(some.with_revision(Revision(1))),
            steps(connection, || drop(write(connection, |write| txn::run(write, &put)).unwrap())),
        ]
    });
    println!("steps for a key, a page, its keys, its past, a put: {:?}", costs[0]);
    assert_eq!(costs[0], costs[1]);
    let [point, page, keys_only, ..] = costs[0];
    assert!(point > 0 && point < 40 && keys_only < page, "{costs:?}");
}
