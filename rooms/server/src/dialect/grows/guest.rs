//! A client before its upgrade.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::path::Params;
use super::{MetaNotFound, conn};

/// A client that asks to come in, as a handshake middleware sees it. It has its id, and may be given metadata,
/// which stays with it once it is connected. A clone is another handle to the same client.
#[derive(Clone, Debug)]
pub struct Guest(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    id: Arc<str>,
    params: Params,
    meta: Mutex<HashMap<String, Value>>,
}

impl Guest {
    pub(super) fn new(id: Arc<str>, params: Params) -> Self {
        Self(Arc::new(Inner { id, params, meta: Mutex::default() }))
    }

    /// The id that it will have.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// What its path has in the place of a parameter; see [`Conn::param`](super::Conn::param).
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.0.params.get(name)
    }

    /// Keeps a value with the client, in the place of the one of this name. Once the client is connected,
    /// nothing is changed by it.
    pub fn set_meta(&self, key: impl Into<String>, value: impl Into<Value>) {
        self.meta(|meta| meta.insert(key.into(), value.into()));
    }

    /// The value of this name; `null` counts as none.
    ///
    /// # Errors
    /// There is none.
    pub fn get_meta(&self, key: &str) -> Result<Value, MetaNotFound> {
        conn::found(self.meta(|meta| meta.get(key).cloned()))
    }

    /// What stays with the connection.
    pub(super) fn leave(self) -> (Params, HashMap<String, Value>) {
        let meta = self.meta(std::mem::take);
        (self.0.params.clone(), meta)
    }

    fn meta<T>(&self, touch: impl FnOnce(&mut HashMap<String, Value>) -> T) -> T {
        touch(&mut self.0.meta.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
