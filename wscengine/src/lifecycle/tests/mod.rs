//! The machine, transition by transition, and on random walks.
//!
//! `names` gives states and actions short names, `kit` puts a machine into any state, `table` goes through the
//! transitions, `walk` plays the rest of the engine at random and checks the promises.

mod failures;
mod kit;
mod names;
mod rules;
mod table;
mod walk;
