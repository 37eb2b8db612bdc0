//! On connections to servers that do as they are told.

use std::future::{Future, poll_fn};
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use h2::server::{self, SendResponse};
use http::Uri;
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::*;

const SOON: Duration = Duration::from_secs(20);
const PATIENT: KeepAlive = KeepAlive { interval: Duration::from_secs(60), timeout: Duration::from_secs(60) };
const QUICK: KeepAlive =
    KeepAlive { interval: Duration::from_millis(50), timeout: Duration::from_millis(200) };

/// A server on a free port, and a client of it.
async fn pair(keep_alive: KeepAlive) -> (TcpListener, Http2) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let http2 = client(listener.local_addr().unwrap().port(), keep_alive);
    (listener, http2)
}

fn client(port: u16, keep_alive: KeepAlive) -> Http2 {
    let address: Uri = format!("http://127.0.0.1:{port}").parse().unwrap();
    Http2::new(Dialer::new(address, None, Duration::from_secs(5), Arc::default()), keep_alive)
}

async fn accept(listener: &TcpListener) -> server::Connection<TcpStream, Bytes> {
    server::handshake(listener.accept().await.unwrap().0).await.unwrap()
}

fn request(body: &'static str) -> Request<Body> {
    Request::post("http://127.0.0.1/call").body(Body::new(Full::new(Bytes::from(body)))).unwrap()
}

/// The whole content that a call is answered with.
async fn answer(http2: &Http2, body: &'static str) -> Result<Bytes, BoxError> {
    let answer = timeout(SOON, http2.call(request(body))).await.expect("it takes too long")?;
    Ok(answer.into_body().collect().await?.to_bytes())
}

/// Answers with what was asked, and trailers behind it.
async fn echo(request: Request<h2::RecvStream>, mut respond: SendResponse<Bytes>) {
    let mut body = request.into_body();
    let mut stream = respond.send_response(Response::new(()), false).unwrap();
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        stream.send_data(data, false).unwrap();
    }
    stream.send_trailers([(http::header::AGE, 1.into())].into_iter().collect()).unwrap();
}

/// Answers all calls on connections of which it counts how many there are.
async fn serve(listener: TcpListener, connections: Arc<AtomicUsize>) {
    loop {
        let mut connection = accept(&listener).await;
        connections.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            while let Some(Ok((request, respond))) = connection.accept().await {
                tokio::spawn(echo(request, respond));
            }
        });
    }
}

#[tokio::test]
async fn a_call_is_answered_with_content_and_trailers() {
    let (listener, http2) = pair(PATIENT).await;
    tokio::spawn(serve(listener, Arc::default()));
    let answer = http2.call(request("text")).await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(answer.trailers().unwrap()[http::header::AGE], "1");
    assert_eq!(answer.to_bytes(), "text");
}

#[tokio::test]
async fn what_is_larger_than_the_windows_goes_both_ways() {
    let (listener, http2) = pair(PATIENT).await;
    tokio::spawn(serve(listener, Arc::default()));
    let large = "0123456789abcdef".repeat(1024 * 1024);
    let body = Body::new(Full::new(Bytes::from(large.clone())));
    let request = Request::post("http://127.0.0.1/call").body(body).unwrap();
    let answer = timeout(SOON, http2.call(request)).await.unwrap().unwrap().into_body().collect();
    assert!(timeout(SOON, answer).await.unwrap().unwrap().to_bytes() == large);
}

#[tokio::test]
async fn calls_at_the_same_time_share_a_connection_whoever_goes_away_while_it_is_made() {
    let (listener, http2) = pair(PATIENT).await;
    let begun = http2.clone();
    let mut first = Box::pin(async move { begun.call(request("first")).await });
    assert!(poll_fn(|context| std::task::Poll::Ready(first.as_mut().poll(context))).await.is_pending());
    drop(first);
    let connections = Arc::new(AtomicUsize::new(0));
    tokio::spawn(serve(listener, Arc::clone(&connections)));
    let calls = (0..20).map(|_| answer(&http2, "text"));
    for answer in futures::future::join_all(calls).await {
        assert_eq!(answer.unwrap(), "text");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_stream_is_sent_while_it_is_answered() {
    let (listener, http2) = pair(PATIENT).await;
    tokio::spawn(serve(listener, Arc::default()));
    let (sender, sent) = futures::channel::mpsc::unbounded::<&'static str>();
    let frames = futures::StreamExt::map(sent, |text| Ok::<_, tonic::Status>(Frame::data(Bytes::from(text))));
    let request = Request::post("http://127.0.0.1/call").body(Body::new(StreamBody::new(frames))).unwrap();
    let mut answer = timeout(SOON, http2.call(request)).await.unwrap().unwrap().into_body();
    for text in ["one", "two"] {
        sender.unbounded_send(text).unwrap();
        let frame = timeout(SOON, answer.frame()).await.unwrap().unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), text);
    }
    drop(sender);
    assert!(timeout(SOON, answer.frame()).await.unwrap().unwrap().unwrap().is_trailers());
}

#[tokio::test]
async fn a_call_that_is_dropped_is_cancelled() {
    let (listener, http2) = pair(PATIENT).await;
    let (note, mut noted) = mpsc::channel(1);
    let server = tokio::spawn(async move {
        let mut connection = accept(&listener).await;
        let (_request, mut respond) = connection.accept().await.unwrap().unwrap();
        note.send(()).await.unwrap();
        tokio::select! {
            reason = poll_fn(|context| respond.poll_reset(context)) => reason.unwrap(),
            _ = connection.accept() => panic!("the connection ended, or there was another call"),
        }
    });
    tokio::select! {
        _ = http2.call(request("text")) => panic!("nobody has answered"),
        arrived = noted.recv() => arrived.unwrap(),
    }
    assert_eq!(timeout(SOON, server).await.unwrap().unwrap(), h2::Reason::CANCEL);
}

#[tokio::test]
async fn a_connection_that_ended_is_made_again() {
    let (listener, http2) = pair(PATIENT).await;
    let server = tokio::spawn(async move {
        for _ in 0..3 {
            let mut connection = accept(&listener).await;
            let (request, respond) = connection.accept().await.unwrap().unwrap();
            tokio::spawn(echo(request, respond));
            // No more calls: those after this one need another connection.
            connection.graceful_shutdown();
            while connection.accept().await.is_some() {}
        }
    });
    for _ in 0..3 {
        assert_eq!(answer(&http2, "text").await.unwrap(), "text");
    }
    timeout(SOON, server).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_connection_that_breaks_fails_its_calls_and_may_have_sent_them() {
    let (listener, http2) = pair(PATIENT).await;
    tokio::spawn(async move {
        let mut connection = accept(&listener).await;
        let _call = connection.accept().await.unwrap().unwrap();
        drop(connection);
        serve(listener, Arc::default()).await;
    });
    let error = answer(&http2, "text").await.unwrap_err();
    assert!(!error.is::<ConnectError>() && error.is::<h2::Error>(), "{error:?}");
    assert_eq!(answer(&http2, "text").await.unwrap(), "text");
}

#[tokio::test]
async fn without_a_connection_certainly_nothing_was_sent() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let http2 = client(port, PATIENT);
    for _ in 0..2 {
        let error = answer(&http2, "text").await.unwrap_err();
        let causes =
            std::iter::successors(Some(&*error as &(dyn StdError + 'static)), |&error| error.source());
        assert!(error.is::<ConnectError>() && causes.last().unwrap().is::<std::io::Error>(), "{error:?}");
    }
}

#[tokio::test]
async fn a_member_that_does_not_answer_pings_is_given_up_on_while_a_call_is_under_way() {
    let (listener, http2) = pair(QUICK).await;
    tokio::spawn(async move {
        // It says what has to be said first, and then nothing any more.
        let mut silent = listener.accept().await.unwrap().0;
        silent.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
        tokio::spawn(async move { while silent.read_u8().await.is_ok() {} });
        serve(listener, Arc::default()).await;
    });
    answer(&http2, "text").await.unwrap_err();
    assert_eq!(answer(&http2, "text").await.unwrap(), "text");
}

#[tokio::test]
async fn a_member_is_not_asked_while_no_call_is_under_way() {
    let (listener, http2) = pair(QUICK).await;
    let server = tokio::spawn(async move {
        let mut connection = accept(&listener).await;
        let (request, respond) = connection.accept().await.unwrap().unwrap();
        // Pings are answered while the connection is polled. It is not from now on, but for the answer itself.
        echo(request, respond).await;
        let rest = timeout(QUICK.interval / 2, poll_fn(|context| connection.poll_closed(context))).await;
        assert!(rest.is_err(), "the connection ended");
        connection
    });
    assert_eq!(answer(&http2, "text").await.unwrap(), "text");
    let _connection = server.await.unwrap();
    let Open { life, .. } = http2.ready().await.unwrap();
    let ended = async {
        while !life.has_ended() {
            tokio::time::sleep(QUICK.interval).await;
        }
    };
    assert!(timeout(10 * QUICK.timeout, ended).await.is_err(), "it was given up on");
    // With a call it is.
    let mut call = Box::pin(http2.call(request("text")));
    tokio::select! {
        answer = &mut call => assert!(answer.is_err()),
        () = tokio::time::sleep(SOON) => panic!("it was not given up on"),
    }
}
