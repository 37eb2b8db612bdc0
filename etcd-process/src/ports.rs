use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// Loopback ports that nobody listened on a moment ago, all different. Somebody may take one before it is used.
pub(crate) fn free<const N: usize>() -> io::Result<[u16; N]> {
    let mut ports = [0; N];
    // All are held at once, so that no port is handed out twice.
    let mut held = Vec::with_capacity(N);
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    #[test]
    fn ports_are_free_and_different() {
        let [a, b] = super::free().unwrap();
        assert!(a != 0 && b != 0 && a != b);
    }
}
