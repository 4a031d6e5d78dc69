//! How to use the engine: one page for each thing that a user has to understand.
//!
//! | page | about |
//! |---|---|
//! | [`callbacks`] | the six callbacks: when each is called, what it may do, what its result means |
//! | [`lifecycle`] | the eight states, how one leads to the next, how to watch them |
//! | [`errors`] | who is told of which failure, whose fault it is, what to do |
//! | [`reconnecting`] | which failures are retried, how long the engine waits, a fresh request for each attempt |
//! | [`stopping`] | stop, exit, restart and drop, and what each does with messages under way |
//! | [`pausing`] | request and response on servers without ids |
//! | [`requests`] | request and response by id: replies to their calls, the rest to `on_message` |
//! | [`sending`] | the three ways to send, what is bounded, what happens to what was not written, the outbox |
//! | [`testing`] | tests of your handler without sockets and without real time |
//!
//! There is nothing to call in here. Every example is compiled and run with the tests of this crate; where a
//! transport is needed they use the one in memory, so that they need no network.

#[doc = include_str!("guide/callbacks.md")]
pub mod callbacks {}

#[doc = include_str!("guide/errors.md")]
pub mod errors {}

#[doc = include_str!("guide/lifecycle.md")]
pub mod lifecycle {}

#[doc = include_str!("guide/pausing.md")]
pub mod pausing {}

#[doc = include_str!("guide/reconnecting.md")]
pub mod reconnecting {}

#[doc = include_str!("guide/requests.md")]
pub mod requests {}

#[doc = include_str!("guide/sending.md")]
pub mod sending {}

#[doc = include_str!("guide/stopping.md")]
pub mod stopping {}

// All that it speaks of is there with the feature only.
#[cfg_attr(feature = "testing", doc = include_str!("guide/testing.md"))]
#[cfg_attr(
    not(feature = "testing"),
    doc = "Tests of your handler without sockets and without real time: a page of the documentation with the feature `testing`."
)]
pub mod testing {}
