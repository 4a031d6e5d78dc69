//! What goes out with the handshake, and what must not be exported.

use std::future::pending;
use std::sync::{Arc, Mutex};

use examples::echo::{Settings, run};
use examples::narration::Narrator;
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tracing::instrument::WithSubscriber;
use wscengine::{Engine, Exclusive, Handler, HandlerError, Message, Opened, Session};
use wscengine_rooms_server::{Config, Server};
use wscengine_tungstenite::TungsteniteTransport;

use crate::collector::{Collector, LIMIT};
use crate::trace::{Trace, attribute};

/// Echoes on one connection. Gives its address, and its request's `traceparent`.
async fn showing_server() -> (String, oneshot::Receiver<Option<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (show, shown) = oneshot::channel();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut show = Some(show);
        #[expect(clippy::result_large_err, reason = "the library's type")]
        let look = |request: &Request, response: Response| {
            let value = request
                .headers()
                .get("traceparent")
                .map(|value| value.to_str().unwrap().to_owned());
            show.take().unwrap().send(value).unwrap();
            Ok(response)
        };
        let mut socket = accept_hdr_async(stream, look).await.unwrap();
        while let Some(Ok(message)) = socket.next().await {
            if message.is_text() || message.is_binary() {
                socket.send(message).await.unwrap();
            }
        }
    });
    (address, shown)
}

/// One message there and back, with what the server saw.
async fn one_message(url: String, propagate: bool) -> Trace {
    let collector = Collector::grpc().await;
    let settings = Settings { url: Some(url), count: 1, propagate, ..Settings::default() };
    let example =
        run(&settings, Narrator::new(|_, _| {}), pending()).with_subscriber(collector.subscriber());
    timeout(LIMIT, example).await.unwrap().unwrap();
    collector.trace().await
}

#[tokio::test(flavor = "multi_thread")]
async fn traceparent_goes_out_with_the_handshake_and_names_the_dial() {
    let (address, shown) = showing_server().await;
    let trace = one_message(format!("ws://{address}/"), true).await;
    let dial = trace.one("websocket.dial");
    let expected = format!("00-{}-{}-01", hex(&dial.trace_id), hex(&dial.span_id));
    assert_eq!(shown.await.unwrap(), Some(expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn traceparent_does_not_go_out_without_propagation() {
    let (address, shown) = showing_server().await;
    let trace = one_message(format!("ws://{address}/"), false).await;
    assert_eq!(trace.all("websocket.dial").len(), 1);
    assert_eq!(shown.await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn traceparent_does_not_go_out_when_nothing_is_traced() {
    let (address, shown) = showing_server().await;
    let settings =
        Settings { url: Some(format!("ws://{address}/")), count: 1, ..Settings::default() };
    timeout(LIMIT, run(&settings, Narrator::new(|_, _| {}), pending())).await.unwrap().unwrap();
    assert_eq!(shown.await.unwrap(), None);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_is_exported_without_user_password_and_query_values() {
    let (address, _shown) = showing_server().await;
    let trace = one_message(
        format!("ws://usr-marker:pwd-marker@{address}/feed?token=tok-marker&bare-marker"),
        true,
    )
    .await;
    let expected = format!("ws://{address}/feed?token=REDACTED&REDACTED");
    for name in ["wscengine.start", "websocket.dial"] {
        assert_eq!(attribute(trace.one(name), "url.full"), Some(expected.clone()));
    }
    assert!(!trace.contains("-marker"));
}

/// Sends a text and a binary message, and panics on one of them when it comes back.
struct Secretive {
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
}

const SECRET: &str = "payload-marker-7f3a";

impl Handler for Secretive {
    async fn on_open(&self, conn: &mut Exclusive, _opened: Opened) -> Result<(), HandlerError> {
        conn.send(SECRET).await?;
        assert_eq!(conn.recv().await?.text(), Some(SECRET));
        conn.send(SECRET).await?;
        conn.send(SECRET.as_bytes()).await?;
        Ok(())
    }

    async fn on_message(&self, session: &Session, message: Message<'_>) {
        self.heard.lock().unwrap().push(message.payload().to_vec());
        if message.is_binary() {
            session.exit();
            panic!("{SECRET}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_payload_and_no_header_value_is_exported() {
    let server = Server::bind("127.0.0.1:0", Config::default()).await.unwrap().spawn();
    let collector = Collector::grpc().await;
    let heard = Arc::new(Mutex::new(Vec::new()));
    let session = async {
        let engine =
            Engine::builder(TungsteniteTransport::new(), Secretive { heard: heard.clone() })
                .url(server.echo_url())
                .header("authorization", "Bearer header-marker-91")
                .build()
                .unwrap();
        engine.start().await.unwrap().stopped().await
    };
    timeout(LIMIT, session.with_subscriber(collector.subscriber())).await.unwrap();
    assert_eq!(*heard.lock().unwrap(), [SECRET.as_bytes(), SECRET.as_bytes()]);
    let trace = collector.trace().await;
    let messages = trace.all("wscengine.callback.on_message");
    let opcodes: Vec<_> =
        messages.iter().map(|span| attribute(span, "wscengine.message.opcode").unwrap()).collect();
    assert_eq!(opcodes, ["text", "binary"]);
    assert!(!trace.contains("-marker"));
}
