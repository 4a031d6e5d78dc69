//! An echo server with small buffers: 10,000 of the usual 128 KiB would be more than a gigabyte.

use futures_util::StreamExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_tungstenite::accept_async_with_config;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// Serves until it is killed; its first line says on which port.
pub(crate) async fn run() -> bool {
    let listener = listen();
    println!("{}", listener.local_addr().unwrap().port());
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(echo(stream));
    }
}

fn listen() -> TcpListener {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    socket.listen(4_096).unwrap()
}

async fn echo(stream: TcpStream) {
    let config = WebSocketConfig::default().read_buffer_size(1_024).write_buffer_size(0);
    let Ok(connection) = accept_async_with_config(stream, Some(config)).await else { return };
    let (sink, messages) = connection.split();
    let texts =
        messages.filter(|message| std::future::ready(message.as_ref().is_ok_and(Message::is_text)));
    // How a connection ends is the client's business.
    let _ = texts.forward(sink).await;
}
