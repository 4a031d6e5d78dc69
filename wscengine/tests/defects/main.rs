//! One test for each defect that was found in gowse and in ezsockets and that could occur here: it fails on an engine
//! that has the defect. The id in a test's name is the row of the table in `tests/README.md`. Defects of sockets and
//! of traces have theirs in package `e2e`.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is how a test fails")]

mod support;

mod ezsockets;
mod ezsockets_flow;
mod gowse_callbacks;
mod gowse_lifecycle;
mod gowse_starting;
