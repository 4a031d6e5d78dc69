//! Tools to test programs and adapters that use the engine.

pub mod conformance;
pub mod memory;
