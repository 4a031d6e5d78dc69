//! Both adapters, for what is gone through with each.

use wscengine::transport::Transport;
use wscengine_dial::Dialer;
use wscengine_sockudo::SockudoTransport;
use wscengine_tungstenite::TungsteniteTransport;

/// What a test is gone through with.
pub trait Adapter: 'static {
    /// Its transport.
    type Transport: Transport;

    /// One that dials with `dialer`.
    fn transport(dialer: Dialer) -> Self::Transport;
}

/// `wscengine-tungstenite`
#[derive(Debug)]
pub struct Tungstenite;

/// `wscengine-sockudo`
#[derive(Debug)]
pub struct Sockudo;

impl Adapter for Tungstenite {
    type Transport = TungsteniteTransport;

    fn transport(dialer: Dialer) -> TungsteniteTransport {
        TungsteniteTransport::new().dialer(dialer)
    }
}

impl Adapter for Sockudo {
    type Transport = SockudoTransport;

    fn transport(dialer: Dialer) -> SockudoTransport {
        SockudoTransport::new().dialer(dialer)
    }
}
