//! The traces of an engine, as a collector receives them: names, parents, attributes, status.

mod collector;
mod echo;
mod export;
mod failures;
mod propagation;
mod trace;
