//! What each mode of the proxy does to the connections of a plain TCP server.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]
#![expect(
    clippy::disallowed_methods,
    reason = "it waits for real connections, in real time, without a runtime"
)]

mod echo;
mod support;

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use echo::{Client, Echo, connect};
use etcd_process::{Direction, FaultProxy, Mode, SynBlackHole};
use support::until;

fn proxied() -> (Echo, FaultProxy) {
    let echo = Echo::start();
    let proxy = FaultProxy::start(echo.address()).unwrap();
    (echo, proxy)
}

#[test]
fn passing_carries_bytes_and_closes_both_ways() {
    let (echo, proxy) = proxied();
    let mut client = connect(&proxy);
    client.echoes(&vec![7; 1_000_000]);
    assert_eq!(proxy.connections(), 1);
    client.shutdown();
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    until("that the connection has ended", || proxy.connections() == 0);
    assert_eq!(echo.ended(), 1);
    assert_eq!(proxy.forwarded(Direction::ToServer), 1_000_000);
    assert_eq!(proxy.forwarded(Direction::ToClient), 1_000_000);
    assert_eq!(proxy.swallowed(Direction::ToServer), 0);
}

#[test]
fn a_delay_is_felt_by_open_and_new_connections_in_each_direction() {
    let (_echo, proxy) = proxied();
    let mut open = connect(&proxy);
    open.echoes(b"before");
    let (by, jitter) = (Duration::from_millis(100), Duration::from_millis(20));
    proxy.set(Mode::Delay { by, jitter });
    for client in [&mut open, &mut connect(&proxy)] {
        let begun = Instant::now();
        client.echoes(b"delayed");
        assert!(begun.elapsed() >= 2 * by.saturating_sub(jitter), "{:?}", begun.elapsed());
    }
    // Many bytes on the way share the delay.
    let begun = Instant::now();
    open.echoes(&vec![7; 1_000_000]);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[test]
fn what_a_delay_holds_back_comes_at_once_when_it_ends() {
    let (_echo, proxy) = proxied();
    let mut client = connect(&proxy);
    client.echoes(b"before");
    proxy.set(Mode::Delay { by: Duration::from_secs(600), jitter: Duration::ZERO });
    client.write_all(b"held back").unwrap();
    client.hears_nothing();
    proxy.set(Mode::Pass);
    client.hears(b"held back");
}

#[test]
fn dropped_bytes_leave_connections_half_open() {
    let (echo, proxy) = proxied();
    let mut open = connect(&proxy);
    open.echoes(b"before");
    proxy.set(Mode::Drop);
    let mut new = connect(&proxy);
    for (count, client) in [&mut open, &mut new].into_iter().enumerate() {
        client.write_all(b"lost").unwrap();
        let swallowed = 4 * (count as u64 + 1);
        until("that the bytes are lost", || proxy.swallowed(Direction::ToServer) == swallowed);
        client.hears_nothing();
    }
    until("that the new connection reaches the target", || echo.accepted() == 2);
    drop((open, new));
    connect(&proxy).hears_nothing();
    until("that the third connection reaches the target", || echo.accepted() == 3);
    assert_eq!((proxy.connections(), echo.ended()), (3, 0));
    // What closed meanwhile is told now.
    proxy.set(Mode::Pass);
    until("that the server knows", || echo.ended() == 3);
    connect(&proxy).echoes(b"after");
}

#[test]
fn one_way_swallows_that_direction_only() {
    let (echo, proxy) = proxied();
    let mut client = connect(&proxy);
    client.echoes(b"before");
    proxy.set(Mode::OneWay { swallowed: Direction::ToClient });
    client.write_all(b"question").unwrap();
    until("that the answer is lost", || proxy.swallowed(Direction::ToClient) == 8);
    assert_eq!(echo.received(), 14);
    client.hears_nothing();

    proxy.set(Mode::OneWay { swallowed: Direction::ToServer });
    client.write_all(b"question").unwrap();
    until("that the question is lost", || proxy.swallowed(Direction::ToServer) == 8);
    assert_eq!(echo.received(), 14);
    client.hears_nothing();
}

#[test]
fn a_black_hole_ignores_new_connections_until_it_ends() {
    let (echo, proxy) = proxied();
    let mut open = connect(&proxy);
    open.echoes(b"before");
    proxy.set(Mode::BlackHole);
    let mut new = connect(&proxy);
    new.write_all(b"late").unwrap();
    open.write_all(b"lost").unwrap();
    until("that the bytes of the open one are lost", || proxy.swallowed(Direction::ToServer) == 4);
    new.hears_nothing();
    open.hears_nothing();
    assert_eq!(echo.accepted(), 1);
    proxy.set(Mode::Pass);
    new.hears(b"late");
    open.hears_nothing();
}

#[test]
fn a_reset_ends_open_and_new_connections_on_both_sides() {
    let (echo, proxy) = proxied();
    let mut open = connect(&proxy);
    open.echoes(b"before");
    proxy.set(Mode::Reset);
    open.is_reset();
    until("that the server is told", || echo.broken() == 1);
    Client::is_reset_by(proxy.address());
    assert_eq!((echo.accepted(), echo.ended()), (1, 0));
    proxy.set(Mode::Pass);
    connect(&proxy).echoes(b"after");
}

#[test]
fn a_reset_is_not_missed_when_the_mode_changes_again_at_once() {
    let (_echo, proxy) = proxied();
    for _ in 0..50 {
        let mut open = connect(&proxy);
        open.echoes(b"before");
        proxy.set(Mode::Reset);
        proxy.set(Mode::Pass);
        open.is_reset();
    }
}

#[test]
fn a_connection_is_closed_after_so_many_bytes() {
    let (echo, proxy) = proxied();
    let mut open = connect(&proxy);
    open.echoes(b"not counted");
    proxy.set(Mode::CloseAfter(15));
    for client in [&mut open, &mut connect(&proxy)] {
        client.write_all(b"ten bytes!").unwrap();
        client.hears(b"ten b");
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
    }
    until("that the server is told", || echo.ended() == 2);
}

#[test]
fn a_throttled_connection_is_slow_and_loses_nothing() {
    let (_echo, proxy) = proxied();
    let mut client = connect(&proxy);
    client.echoes(b"before");
    proxy.set(Mode::Throttle { bytes_per_second: 50_000 });
    let begun = Instant::now();
    client.echoes(&vec![7; 30_000]);
    assert!(begun.elapsed() >= Duration::from_millis(500), "{:?}", begun.elapsed());
}

#[test]
fn a_mode_gets_through_to_a_connection_whose_reader_is_stuck() {
    let (_echo, proxy) = proxied();
    let mut client = connect(&proxy);
    // Nobody reads what comes back, so that all buffers fill up.
    client.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let bytes = vec![7; 100_000];
    while client.write(&bytes).is_ok() {}
    proxy.set(Mode::Reset);
    until("that the connection has ended", || proxy.connections() == 0);
}

#[test]
fn a_target_that_is_down_looks_like_a_reset() {
    let (echo, proxy) = proxied();
    drop(echo);
    Client::is_reset_by(proxy.address());
}

#[test]
fn dropping_a_proxy_ends_its_connections_in_any_mode() {
    let delay = Mode::Delay { by: Duration::from_secs(600), jitter: Duration::ZERO };
    for mode in [Mode::Pass, delay, Mode::Drop, Mode::BlackHole, Mode::Throttle { bytes_per_second: 1 }] {
        let (_echo, proxy) = proxied();
        let mut open = connect(&proxy);
        open.echoes(b"before");
        proxy.set(mode);
        open.write_all(b"more").unwrap();
        let (mut new, address) = (connect(&proxy), proxy.address());
        let begun = Instant::now();
        drop(proxy);
        assert!(begun.elapsed() < Duration::from_secs(1), "{mode:?}: {:?}", begun.elapsed());
        for client in [&mut open, &mut new] {
            // What was passed on before may come first.
            let ended = client.read_to_end(&mut Vec::new()).map_err(|error| error.kind());
            assert!(matches!(ended, Ok(_) | Err(ErrorKind::ConnectionReset)), "{mode:?}: {ended:?}");
        }
        assert!(Client::to(address).is_err());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_syn_black_hole_lets_nobody_connect() {
    let hole = SynBlackHole::start().unwrap();
    let timeout = Duration::from_millis(200);
    for _ in 0..3 {
        let error = std::net::TcpStream::connect_timeout(&hole.address(), timeout).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }
    let address = hole.address();
    drop(hole);
    let error = Client::to(address).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}
