//! The pages for users of the original servers: their code is compiled, and run where it can be, as doc tests.

#[doc = include_str!("../../migration/easy.md")]
mod easy {}

#[doc = include_str!("../../migration/grows.md")]
mod grows {}

#[doc = include_str!("../../migration/iris.md")]
mod iris {}

#[doc = include_str!("../../migration/wsrooms.md")]
mod wsrooms {}
