//! What is registered: for all connections of an endpoint, or for one.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::listener::{Called, Later, report};
use super::{Conn, Error, ListenerError};

pub(super) type OnConn = Arc<dyn Fn(&Conn) -> Later + Send + Sync>;
pub(super) type OnMessage = Arc<dyn Fn(&Conn, Bytes) -> Later + Send + Sync>;
pub(super) type OnSign = Arc<dyn Fn(&Conn) + Send + Sync>;
pub(super) type OnError = Arc<dyn Fn(&Conn, &Error) + Send + Sync>;
pub(super) type OnLeave = Arc<dyn Fn(&Conn, &str) + Send + Sync>;

/// Callbacks of each kind, in order of registration.
#[derive(Default)]
pub(super) struct Table {
    pub(super) events: HashMap<String, Vec<Called>>,
    pub(super) messages: Vec<OnMessage>,
    pub(super) connections: Vec<OnConn>,
    pub(super) disconnects: Vec<OnConn>,
    pub(super) errors: Vec<OnError>,
    pub(super) leaves: Vec<OnLeave>,
    pub(super) pings: Vec<OnSign>,
    pub(super) pongs: Vec<OnSign>,
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.events.keys()).finish()
    }
}

impl Table {
    pub(super) fn on(&mut self, event: String, listener: Called) {
        self.events.entry(event).or_default().push(listener);
    }

    pub(super) fn event(&self, name: &str) -> &[Called] {
        self.events.get(name).map_or(&[], Vec::as_slice)
    }
}

pub(super) fn on_conn<F, R>(callback: F) -> OnConn
where
    F: Fn(Conn) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), ListenerError>> + Send + 'static,
{
    let callback = Arc::new(callback);
    Arc::new(move |conn| {
        // The callback is called when its turn has come.
        let (conn, callback) = (conn.clone(), Arc::clone(&callback));
        Box::pin(async move { report(&conn, callback(conn.clone()).await) })
    })
}

pub(super) fn on_message<F, R>(callback: F) -> OnMessage
where
    F: Fn(Conn, Bytes) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), ListenerError>> + Send + 'static,
{
    let callback = Arc::new(callback);
    Arc::new(move |conn, message| {
        let (conn, callback) = (conn.clone(), Arc::clone(&callback));
        Box::pin(async move { report(&conn, callback(conn.clone(), message).await) })
    })
}
