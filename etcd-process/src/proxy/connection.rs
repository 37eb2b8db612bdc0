use std::net::SocketAddr;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::pump::{Budget, Cut, Pump};
use super::state::{Open, Setting};
use super::{Direction, Mode};

/// Serves a client that has connected, until either side or the mode ends the connection, or the proxy is dropped.
///
/// A target that cannot be reached looks to the client like one that resets.
pub(super) async fn serve(
    mut client: TcpStream,
    target: SocketAddr,
    open: Open,
    mut settings: watch::Receiver<Setting>,
) {
    let Some(mut server) = connect(target, &open, &mut settings).await else {
        reset(&client);
        return;
    };
    // What the proxy holds back is up to its mode alone. A socket that refuses is merely slower.
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    match exchange(&mut client, &mut server, &open, &mut settings).await {
        Cut::Close => {
            let _ = client.shutdown().await;
            let _ = server.shutdown().await;
        }
        Cut::Reset => {
            reset(&client);
            reset(&server);
        }
    }
}

/// Connects to the target, but not in a black hole. `None` when that fails, or the connection is to be reset meanwhile.
async fn connect(
    target: SocketAddr,
    open: &Open,
    settings: &mut watch::Receiver<Setting>,
) -> Option<TcpStream> {
    let served = |setting: &Setting| setting.mode != Mode::BlackHole || open.is_reset_by(*setting);
    settings.wait_for(served).await.ok()?;
    tokio::select! {
        biased;
        _ = settings.wait_for(|setting| open.is_reset_by(*setting)) => None,
        connected = TcpStream::connect(target) => connected.ok(),
    }
}

async fn exchange(
    client: &mut TcpStream,
    server: &mut TcpStream,
    open: &Open,
    settings: &mut watch::Receiver<Setting>,
) -> Cut {
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let count = |direction| open.counters().bytes(direction);
    let (up, down) = (Direction::ToServer, Direction::ToClient);
    let mut up = Pump::new(up, from_client, to_server, settings.clone(), count(up));
    let mut down = Pump::new(down, from_server, to_client, settings.clone(), count(down));
    loop {
        let setting = *settings.borrow_and_update();
        if open.is_reset_by(setting) {
            return Cut::Reset;
        }
        let mode = setting.mode;
        up.change_mode(mode);
        down.change_mode(mode);
        let budget = Budget::of(mode);
        // A change of mode breaks off whatever the pumps wait for.
        tokio::select! {
            biased;
            changed = settings.changed() => if changed.is_err() {
                return Cut::Close;
            },
            ended = async { tokio::try_join!(up.run(&budget), down.run(&budget)) } => {
                return ended.err().unwrap_or(Cut::Close);
            }
        }
    }
}

/// Makes dropping it send `RST` instead of `FIN`.
pub(super) fn reset(stream: &TcpStream) {
    // It fails only for a socket that is no more connected.
    let _ = stream.set_zero_linger();
}
