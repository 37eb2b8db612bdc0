mod connection;
mod mode;
mod pump;
mod queue;
mod state;
mod syn;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use mode::{Direction, Mode};
pub use syn::SynBlackHole;

use state::{Counters, Open, Setting};

/// A TCP proxy on a free loopback port, which does to its connections what its [`Mode`] says.
///
/// It runs on a thread of its own. Dropping it closes all connections and ends the thread.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    target: SocketAddr,
    counters: Arc<Counters>,
    /// Dropping it tells the thread to end; so it comes before the thread.
    settings: watch::Sender<Setting>,
    #[expect(dead_code, reason = "dropping it waits for the thread")]
    thread: Joined,
}

impl FaultProxy {
    /// Starts a proxy before this address, in the mode [`Pass`](Mode::Pass). The target is connected to anew for each
    /// client; it need not listen yet.
    ///
    /// # Errors
    ///
    /// When the operating system gives no port or no thread.
    pub fn start(target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        // One thread for all connections: whatever a task waits for, it can be dropped when the mode changes.
        let runtime = runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let (settings, watched) = watch::channel(Setting::default());
        let counters = Arc::new(Counters::default());
        let counted = Arc::clone(&counters);
        let thread = thread::Builder::new()
            .name("fault-proxy".to_owned())
            .spawn(move || runtime.block_on(accept(listener, target, counted, watched)))?;
        Ok(Self { address, target, counters, settings, thread: Joined(Some(thread)) })
    }

    /// Where it listens: `http://127.0.0.1:` and the port.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address in [`endpoint`](Self::endpoint).
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it connects to.
    pub fn target(&self) -> SocketAddr {
        self.target
    }

    /// Changes the mode. It counts for all bytes and connections that come after this returns.
    pub fn set(&self, mode: Mode) {
        self.settings.send_modify(|setting| {
            setting.mode = mode;
            setting.resets += u64::from(mode == Mode::Reset);
        });
    }

    /// The mode that was set last.
    pub fn mode(&self) -> Mode {
        self.settings.borrow().mode
    }

    /// How many connections it has accepted that have not ended. One that swallows does not end, even when both sides
    /// are gone.
    pub fn connections(&self) -> usize {
        self.counters.connections.load(Ordering::Relaxed)
    }

    /// How many bytes of this direction it has passed on so far.
    pub fn forwarded(&self, direction: Direction) -> u64 {
        self.counters.bytes(direction).forwarded.load(Ordering::Relaxed)
    }

    /// How many bytes of this direction it has swallowed so far.
    pub fn swallowed(&self, direction: Direction) -> u64 {
        self.counters.bytes(direction).swallowed.load(Ordering::Relaxed)
    }
}

/// Accepts clients until the proxy is dropped.
async fn accept(
    listener: TcpListener,
    target: SocketAddr,
    counters: Arc<Counters>,
    mut settings: watch::Receiver<Setting>,
) {
    // It was bound by the standard library so that `FaultProxy::start` can tell its address. This fails only outside of a
    // runtime with input and output.
    let listener = tokio::net::TcpListener::from_std(listener).expect("this runtime has input and output");
    // Dropping it drops all connections.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            changed = settings.changed() => if changed.is_err() {
                return;
            },
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    let setting = *settings.borrow();
                    if setting.mode == Mode::Reset {
                        connection::reset(&client);
                    } else {
                        let open = Open::new(Arc::clone(&counters), setting);
                        connections.spawn(connection::serve(client, target, open, settings.clone()));
                    }
                }
                // The client has gone already, or there are too many open files for now.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// A thread that is waited for when this is dropped.
#[derive(Debug)]
struct Joined(Option<JoinHandle<()>>);

impl Drop for Joined {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            // If it panicked, it has said so.
            let _ = thread.join();
        }
    }
}
