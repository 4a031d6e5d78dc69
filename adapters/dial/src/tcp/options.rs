//! Options of a TCP socket, and one attempt to connect it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpSocket, TcpStream};

/// What is set on each socket.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) nodelay: bool,
    /// How long nothing may come before it is asked whether the peer is there, and between two questions.
    pub(super) keepalive: Option<Duration>,
    pub(super) local: Option<IpAddr>,
    pub(super) send_buffer: Option<u32>,
    pub(super) recv_buffer: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self { nodelay: true, keepalive: None, local: None, send_buffer: None, recv_buffer: None }
    }
}

impl Options {
    /// Whether an address can be reached from the local one, if that is given.
    pub(super) fn fits(&self, address: &SocketAddr) -> bool {
        self.local.is_none_or(|local| local.is_ipv6() == address.is_ipv6())
    }

    pub(super) async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let socket = if address.is_ipv6() { TcpSocket::new_v6() } else { TcpSocket::new_v4() }?;
        // Before connecting: the window that is offered depends on them (RFC 7323 section 2.2).
        if let Some(size) = self.send_buffer {
            socket.set_send_buffer_size(size)?;
        }
        if let Some(size) = self.recv_buffer {
            socket.set_recv_buffer_size(size)?;
        }
        if let Some(local) = self.local {
            socket.bind((local, 0).into())?;
        }
        let tcp = socket.connect(address).await?;
        tcp.set_nodelay(self.nodelay)?;
        if let Some(idle) = self.keepalive {
            let keepalive = TcpKeepalive::new().with_time(idle).with_interval(idle);
            SockRef::from(&tcp).set_tcp_keepalive(&keepalive)?;
        }
        Ok(tcp)
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn each_option_reaches_the_socket() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let options = Options {
            nodelay: false,
            keepalive: Some(Duration::from_secs(77)),
            local: Some("127.0.0.9".parse().unwrap()),
            send_buffer: Some(40_000),
            recv_buffer: Some(50_000),
        };
        let tcp = options.connect(listener.local_addr().unwrap()).await.unwrap();
        assert_eq!(listener.accept().await.unwrap().1.ip(), options.local.unwrap());
        let socket = SockRef::from(&tcp);
        assert!(!socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(77));
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(77));
        // The system may give more, not less.
        assert!((40_000..200_000).contains(&socket.send_buffer_size().unwrap()));
        assert!((50_000..200_000).contains(&socket.recv_buffer_size().unwrap()));
    }

    #[tokio::test]
    async fn by_default_writes_are_not_delayed_and_nobody_is_asked_whether_he_is_there() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tcp = Options::default().connect(listener.local_addr().unwrap()).await.unwrap();
        let socket = SockRef::from(&tcp);
        assert!(socket.tcp_nodelay().unwrap() && !socket.keepalive().unwrap());
    }
}
