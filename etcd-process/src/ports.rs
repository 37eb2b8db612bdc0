use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::BuildHasher;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;

/// Loopback ports that nobody listened on a moment ago, all different. Somebody may take one before it is used.
///
/// They are not of those that outgoing connections get: such a connection would take the port of a server that is
/// down for a while.
pub(crate) fn free(count: usize) -> io::Result<Vec<u16>> {
    let range = outside_ephemeral();
    let start = range.start + below(range.end - range.start);
    // All are held at once, so that no port is handed out twice.
    let mut held = Vec::with_capacity(count);
    let candidates = (start..range.end).chain(range.start..start);
    let mut free = candidates.filter_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok());
    held.extend(free.by_ref().take(count));
    if held.len() < count {
        return Err(io::Error::other(format!("fewer than {count} ports are free")));
    }
    held.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
}

/// Starts servers on [`free`] ports, again if somebody took one before the server listened on it.
pub(crate) fn retry<T>(mut start: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    const ATTEMPTS: usize = 5;
    let mut attempt = 1;
    loop {
        match start() {
            Err(error) if attempt < ATTEMPTS && error.to_string().contains("address already in use") => {
                attempt += 1;
            }
            result => return result,
        }
    }
}

/// From above the ports of well-known services to the first one for outgoing connections.
fn outside_ephemeral() -> Range<u16> {
    const FIRST: u16 = 15_000;
    const USUAL_END: u16 = 32_768;
    let setting = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let end = setting.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(USUAL_END);
    // A machine set up otherwise has no such range for us; then any port must do.
    if end > FIRST + 1000 { FIRST..end } else { FIRST..u16::MAX }
}

/// A random number below `limit`.
fn below(limit: u16) -> u16 {
    let random = RandomState::new().hash_one(0) % u64::from(limit);
    u16::try_from(random).expect("it is below a number of this type")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_free_and_different() {
        let mut ports = free(20).unwrap();
        assert!(ports.iter().all(|port| outside_ephemeral().contains(port)), "{ports:?}");
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 20);
    }

    #[test]
    fn only_a_taken_port_is_a_reason_to_try_again() {
        let mut starts = 0;
        let mut failing = |message: &'static str| {
            starts = 0;
            let result = retry(|| {
                starts += 1;
                if starts < 3 { Err(io::Error::other(message)) } else { Ok(starts) }
            });
            result.ok()
        };
        assert_eq!(failing("listen tcp: bind: address already in use"), Some(3));
        assert_eq!(failing("no such flag"), None);
    }
}
