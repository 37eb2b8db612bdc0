//! The search for an order of the calls on one register.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use storage_conformance::history::{Guard, MOST_AT_ONCE, NotLinearizable, RegisterCall, check_register};
use tokio::time::Instant;

type Register = RegisterCall<u32>;

/// Calls of concurrent clients on a register that is right: each has its effect at some moment between its ends.
fn legal(seed: u64, clients: usize, calls: usize, unanswered: u32) -> Vec<Register> {
    let mut random = StdRng::seed_from_u64(seed);
    let (mut history, mut held, mut moment): (Vec<Register>, Option<u32>, u64) = (Vec::new(), None, 0);
    // What each client is about: its call, and whether that is done.
    let mut clients: Vec<Option<(usize, bool)>> = vec![None; clients];
    let mut lost = 0;
    while history.len() < calls || clients.iter().any(Option::is_some) {
        let client = random.random_range(0..clients.len());
        moment += 1;
        match clients[client] {
            None if history.len() < calls => {
                clients[client] = Some((history.len(), false));
                history.push(Register::read(None).from(moment));
            }
            None => {}
            Some((call, false)) => {
                let value = u32::try_from(call).unwrap() + 1;
                let done = match random.random_range(0..10) {
                    0..5 => Register::read(held),
                    5..8 => Register::write(value),
                    8 if held.is_some_and(|held| held % 2 == 0) => Register::refused(None),
                    8 => Register::swap(held, Some(value)),
                    _ => Register::swap(held, None),
                };
                if let storage_conformance::history::Effect::Becomes(value) = done.effect {
                    held = value;
                }
                history[call] = done.from(history[call].invoked);
                clients[client] = Some((call, true));
                // Few, as an outage is long over when there are many.
                if lost < 12 && random.random_ratio(unanswered, 1_000) {
                    lost += 1;
                    clients[client] = None;
                }
            }
            Some((call, true)) => {
                history[call].returned = Some(moment);
                clients[client] = None;
            }
        }
    }
    history
}

fn stuck(calls: &[Register]) -> (usize, usize, Vec<Option<u32>>) {
    match check_register(calls) {
        Err(NotLinearizable::Stuck { call, prefix, values }) => (call, prefix, values),
        other => panic!("{other:?}"),
    }
}

#[test]
fn calls_on_a_right_register_are_accepted() {
    for seed in 0..2_000 {
        let calls =
            legal(seed, 1 + usize::try_from(seed % 10).unwrap(), 60, u32::try_from(seed % 50).unwrap());
        assert_eq!(check_register(&calls), Ok(()), "seed {seed}");
    }
}

#[test]
fn one_changed_read_is_found() {
    let (mut rejected, mut random) = (0, StdRng::seed_from_u64(1));
    for seed in 0..1_000 {
        let mut calls = legal(seed, 8, 60, 0);
        let reads: Vec<_> =
            (0..calls.len()).filter(|call| calls[*call].effect == Register::read(None).effect).collect();
        let call = reads[random.random_range(0..reads.len())];
        calls[call].guard = Guard::Is(Some(1_000_000));
        let (found, ..) = stuck(&calls);
        assert!(calls[found].returned >= calls[call].invoked.into(), "seed {seed}");
        rejected += 1;
    }
    println!("{rejected} of 1000 changed reads rejected");
}

#[test]
fn a_read_of_what_was_overwritten_before_it_began_is_found() {
    let calls = [
        Register::write(1).between(1, 2),
        Register::write(2).between(3, 4),
        Register::read(Some(2)).between(5, 6),
        Register::read(Some(1)).between(7, 8),
    ];
    assert_eq!(check_register(&calls[..3]), Ok(()));
    assert_eq!(stuck(&calls), (3, 3, vec![Some(2)]));
}

#[test]
fn overlapping_writes_may_have_any_order_and_only_one() {
    let writes = [Register::write(1).between(1, 10), Register::write(2).between(2, 11)];
    for (first, second) in [(1, 2), (2, 1)] {
        let reads =
            [Register::read(Some(first)).between(12, 13), Register::read(Some(second)).between(14, 15)];
        assert_eq!(check_register(&[&writes[..], &reads[..1]].concat()), Ok(()));
        stuck(&[&writes[..], &reads[..]].concat());
    }
}

#[test]
fn a_read_from_the_future_is_found() {
    stuck(&[Register::read(Some(1)).between(1, 2), Register::write(1).between(3, 4)]);
}

#[test]
fn two_swaps_of_the_same_value_are_found() {
    let calls = [
        Register::write(1).between(1, 2),
        Register::swap(Some(1), Some(2)).between(3, 6),
        Register::swap(Some(1), Some(3)).between(4, 5),
    ];
    stuck(&calls);
}

#[test]
fn a_refusal_that_nothing_explains_is_found() {
    let refused = Register::refused(Some(1)).between(3, 4);
    stuck(&[Register::write(1).between(1, 2), refused.clone()]);
    let overlapping = Register::write(2).between(2, 5);
    assert_eq!(check_register(&[Register::write(1).between(0, 1), overlapping, refused]), Ok(()));
}

#[test]
fn a_write_without_an_answer_is_done_once_at_most_at_any_time_and_not_before_it_was_asked_for() {
    let (write, lost) = (Register::write(1).between(1, 2), Register::write(2).from(3));
    let read = |value, at| Register::read(Some(value)).between(at, at + 1);
    let check = |reads: &[Register]| check_register(&[&[write.clone(), lost.clone()], reads].concat());
    assert_eq!(check(&[read(1, 10), read(1, 20)]), Ok(()));
    assert_eq!(check(&[read(1, 10), read(2, 20)]), Ok(()));
    check(&[read(2, 10), read(1, 20)]).unwrap_err();
    check_register(&[Register::read(Some(2)).between(1, 2), lost.clone()]).unwrap_err();
    let twice = [read(2, 10), Register::write(3).between(12, 13), read(2, 20)];
    check(&twice).unwrap_err();
}

#[test]
fn many_calls_without_an_answer_do_not_make_the_search_long() {
    let lost = (0..50).map(|call| Register::write(call).from(u64::from(call)));
    let writes = (50..150)
        .map(|call| Register::write(call).between(100 + 4 * u64::from(call), 101 + 4 * u64::from(call)));
    let reads = (50..150)
        .map(|call| Register::read(Some(call)).between(102 + 4 * u64::from(call), 103 + 4 * u64::from(call)));
    let mut calls: Vec<_> = lost.chain(writes).chain(reads).collect();
    assert_eq!(check_register(&calls), Ok(()));
    calls.push(Register::read(Some(1_000)).between(10_000, 10_001));
    stuck(&calls);
}

#[test]
fn more_calls_at_once_than_can_be_told_apart_are_not_accepted() {
    let most = u64::try_from(MOST_AT_ONCE).unwrap();
    let calls: Vec<_> = (0..=most).map(|call| Register::write(0).between(call, 1_000 + call)).collect();
    assert_eq!(check_register(&calls[1..]), Ok(()));
    assert_eq!(check_register(&calls), Err(NotLinearizable::TooManyAtOnce { call: MOST_AT_ONCE }));
}

#[test]
fn eighty_thousand_calls_on_one_register_take_about_a_second() {
    let calls = legal(1, 8, 80_000, 0);
    let began = Instant::now();
    assert_eq!(check_register(&calls), Ok(()));
    println!("80,000 calls of 8 clients: {:?}", began.elapsed());
    let mut wrong = calls;
    let last = wrong.iter_mut().rev().find(|call| matches!(call.guard, Guard::Is(Some(_)))).unwrap();
    last.guard = Guard::Is(Some(1_000_000));
    let began = Instant::now();
    stuck(&wrong);
    println!("the same with a wrong end: {:?}", began.elapsed());
}
