//! The traces of an engine, as a collector receives them: names, parents, attributes, status.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is how a test fails, in its helpers too")]

mod collector;
mod echo;
mod export;
mod failures;
mod levels;
mod propagation;
mod trace;
