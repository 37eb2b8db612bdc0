//! A TCP server that sends back what it gets, and a client that says what it gets.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use etcd_process::FaultProxy;

use crate::support::DEADLINE;

/// The server. Dropping it closes its port.
pub(crate) struct Echo {
    address: SocketAddr,
    counters: Arc<Counters>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Counters {
    closing: AtomicBool,
    accepted: AtomicUsize,
    received: AtomicUsize,
    ended: AtomicUsize,
    broken: AtomicUsize,
}

impl Echo {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let counters = Arc::new(Counters::default());
        let counted = Arc::clone(&counters);
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if counted.closing.load(Ordering::SeqCst) {
                    return;
                }
                counted.accepted.fetch_add(1, Ordering::SeqCst);
                let counted = Arc::clone(&counted);
                thread::spawn(move || serve(stream.unwrap(), &counted));
            }
        });
        Self { address, counters, thread: Some(thread) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections there were.
    pub(crate) fn accepted(&self) -> usize {
        self.counters.accepted.load(Ordering::SeqCst)
    }

    /// How many bytes came.
    pub(crate) fn received(&self) -> usize {
        self.counters.received.load(Ordering::SeqCst)
    }

    /// How many clients closed their connections.
    pub(crate) fn ended(&self) -> usize {
        self.counters.ended.load(Ordering::SeqCst)
    }

    /// How many connections were reset.
    pub(crate) fn broken(&self) -> usize {
        self.counters.broken.load(Ordering::SeqCst)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.counters.closing.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        let _ = self.thread.take().unwrap().join();
    }
}

fn serve(mut stream: TcpStream, counters: &Counters) {
    let mut buffer = vec![0; 65536];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => {
                counters.ended.fetch_add(1, Ordering::SeqCst);
                return;
            }
            Ok(count) => {
                counters.received.fetch_add(count, Ordering::SeqCst);
                // Reading goes on to the end even if nobody takes the answer.
                let _ = stream.write_all(&buffer[..count]);
            }
            Err(_) => {
                counters.broken.fetch_add(1, Ordering::SeqCst);
                return;
            }
        }
    }
}

/// Connects through a proxy.
pub(crate) fn connect(proxy: &FaultProxy) -> Client {
    Client::to(proxy.address()).unwrap()
}

/// A connection that gives up in the end.
#[derive(Debug)]
pub(crate) struct Client(TcpStream);

impl Client {
    pub(crate) fn to(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_write_timeout(Some(DEADLINE))?;
        Ok(Self(stream))
    }

    /// Sends this, and gets it back.
    pub(crate) fn echoes(&mut self, bytes: &[u8]) {
        let mut sender = self.0.try_clone().unwrap();
        // At the same time, since there is not room for much on the way.
        thread::scope(|scope| {
            scope.spawn(move || sender.write_all(bytes).unwrap());
            self.hears(bytes);
        });
    }

    pub(crate) fn hears(&mut self, bytes: &[u8]) {
        let mut heard = vec![0; bytes.len()];
        self.0.read_exact(&mut heard).unwrap();
        assert!(heard == bytes, "what came is not what was sent");
    }

    /// Nothing comes for a while, and the connection stays open.
    pub(crate) fn hears_nothing(&mut self) {
        self.0.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let error = self.0.read(&mut [0]).expect_err("something came");
        assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
        self.0.set_read_timeout(Some(DEADLINE)).unwrap();
    }

    /// A new connection is reset, which may be as early as while it is made.
    pub(crate) fn is_reset_by(address: SocketAddr) {
        match Self::to(address) {
            Ok(mut client) => client.is_reset(),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }

    pub(crate) fn is_reset(&mut self) {
        let error = self.0.read(&mut [0]).expect_err("it is open or was closed");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }

    /// Says that nothing more will be sent.
    pub(crate) fn shutdown(&self) {
        self.0.shutdown(Shutdown::Write).unwrap();
    }
}

impl Deref for Client {
    type Target = TcpStream;

    fn deref(&self) -> &TcpStream {
        &self.0
    }
}

impl DerefMut for Client {
    fn deref_mut(&mut self) -> &mut TcpStream {
        &mut self.0
    }
}
