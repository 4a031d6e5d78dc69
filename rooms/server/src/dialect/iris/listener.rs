//! Listeners: functions of a connection and of what an event brings.

use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use wscengine_rooms_protocol::iris::{DataError, Event, Kind};

use super::{Conn, Error, FromEvent, ListenerError};

pub(super) type Later = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A function that listens to an event: of a [`Conn`], or of a [`Conn`] and something that is [`FromEvent`]. It
/// gives a future of a `Result<(), `[`ListenerError`]`>`.
///
/// Implemented for async closures and functions of these forms, and for nothing else. `M` tells them apart and is
/// inferred.
pub trait Listener<M>: sealed::Listener<M> {}

impl<M, L: sealed::Listener<M>> Listener<M> for L {}

pub(super) mod sealed {
    use std::sync::Arc;

    pub trait Listener<M> {
        fn called(self) -> Called;
    }

    /// A listener whose type is forgotten.
    #[derive(Clone)]
    pub struct Called(pub(in super::super) Arc<dyn super::Call>);

    impl std::fmt::Debug for Called {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Listener")
        }
    }

    /// Marks listeners without an argument.
    #[derive(Debug)]
    pub struct Nothing;

    /// Marks listeners with one.
    #[derive(Debug)]
    pub struct With<T>(std::marker::PhantomData<T>);
}

pub(super) use sealed::Called;

pub(super) trait Call: Send + Sync {
    /// What is to be done, if the listener is for this event.
    fn call(self: Arc<Self>, conn: &Conn, event: &Event<'_>) -> Result<Option<Later>, DataError>;
}

impl Called {
    pub(super) fn call(&self, conn: &Conn, event: &Event<'_>) -> Result<Option<Later>, DataError> {
        Arc::clone(&self.0).call(conn, event)
    }
}

struct OfNothing<F>(F);

struct Of<F, T>(F, PhantomData<fn(T)>);

impl<F, R> Call for OfNothing<F>
where
    F: Fn(Conn) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), ListenerError>> + Send + 'static,
{
    fn call(self: Arc<Self>, conn: &Conn, event: &Event<'_>) -> Result<Option<Later>, DataError> {
        if is_null(event) {
            return Ok(None);
        }
        let conn = conn.clone();
        Ok(Some(Box::pin(async move { report(&conn, (self.0)(conn.clone()).await) })))
    }
}

impl<F, R, T> Call for Of<F, T>
where
    F: Fn(Conn, T) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), ListenerError>> + Send + 'static,
    T: FromEvent,
{
    fn call(self: Arc<Self>, conn: &Conn, event: &Event<'_>) -> Result<Option<Later>, DataError> {
        if !T::TAKES_NULL && is_null(event) {
            return Ok(None);
        }
        let (conn, data) = (conn.clone(), T::from_event(event)?);
        Ok(Some(Box::pin(async move { report(&conn, (self.0)(conn.clone(), data).await) })))
    }
}

impl<F, R> sealed::Listener<sealed::Nothing> for F
where
    F: Fn(Conn) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), ListenerError>> + Send + 'static,
{
    fn called(self) -> Called {
        Called(Arc::new(OfNothing(self)))
    }
}

impl<F, R, T> sealed::Listener<sealed::With<T>> for F
where
    F: Fn(Conn, T) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), ListenerError>> + Send + 'static,
    T: FromEvent + 'static,
{
    fn called(self) -> Called {
        Called(Arc::new(Of(self, PhantomData)))
    }
}

/// Tells the callbacks for errors what a listener has returned.
pub(super) fn report(conn: &Conn, result: Result<(), ListenerError>) {
    if let Err(error) = result {
        conn.tell(&Error::Listener(error));
    }
}

fn is_null(event: &Event<'_>) -> bool {
    event.kind == Kind::Json && event.data.trim_ascii() == b"null"
}
