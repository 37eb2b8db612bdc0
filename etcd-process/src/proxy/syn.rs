use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use tokio::net::TcpSocket;
use tokio::runtime;

/// A loopback address at which connecting neither succeeds nor fails: the requests (`SYN`) stay unanswered, as of a host
/// that is switched off or behind a firewall that drops.
///
/// Linux only: elsewhere a listener whose queue is full refuses.
#[derive(Debug)]
pub struct SynBlackHole {
    address: SocketAddr,
    #[expect(dead_code, reason = "it is never accepted from")]
    listener: std::net::TcpListener,
    #[expect(dead_code, reason = "they fill the queue of the listener")]
    queued: Vec<TcpStream>,
}

impl SynBlackHole {
    /// Makes one, and checks that it is one.
    ///
    /// # Errors
    ///
    /// When there is no free port, or the operating system goes on answering.
    pub fn start() -> io::Result<Self> {
        const MOST_QUEUED: usize = 16;
        const ANSWERED_WITHIN: Duration = Duration::from_millis(200);
        // The caller may be in a runtime, which allows no other one on its thread.
        let listener = thread::spawn(listen).join();
        let listener = listener.unwrap_or_else(|_| Err(io::Error::other("the thread panicked")))?;
        let address = listener.local_addr()?;
        let mut queued = Vec::new();
        while queued.len() < MOST_QUEUED {
            match TcpStream::connect_timeout(&address, ANSWERED_WITHIN) {
                Ok(stream) => queued.push(stream),
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    return Ok(Self { address, listener, queued });
                }
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("this operating system answers although the queue is full"))
    }

    /// Where it does not answer: `http://127.0.0.1:` and the port.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address in [`endpoint`](Self::endpoint).
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// A listener with the shortest queue. The standard library's has a long one.
fn listen() -> io::Result<std::net::TcpListener> {
    let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
    let _context = runtime.enter();
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    socket.listen(0)?.into_std()
}
