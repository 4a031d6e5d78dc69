//! The random user.

mod actors;
pub(crate) mod calls;
pub(crate) mod slot;

pub(crate) use actors::spawn;
