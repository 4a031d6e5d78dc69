//! The machine, transition by transition, and on random walks.
//!
//! `names` gives states and actions short names, `kit` puts a machine into any state, `table` goes through the
//! transitions, `walk` plays the rest of the engine at random and checks the promises.

#[cfg(test)]
mod failures;
#[cfg_attr(not(test), allow(dead_code, reason = "a fuzzing target needs the walk only"))]
mod kit;
#[cfg_attr(not(test), allow(dead_code, reason = "a fuzzing target needs the walk only"))]
mod names;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod table;
mod walk;

#[cfg(feature = "__fuzzing")]
pub(crate) use walk::live;
