//! What an application keeps with a connection.

use std::collections::HashMap;
use std::sync::Mutex;

use serde_json::Value;

use super::lock;

/// Values by name.
#[derive(Debug, Default)]
pub(crate) struct Meta(Mutex<HashMap<String, Value>>);

impl Meta {
    /// Sets a value; the one it had.
    pub(crate) fn set(&self, key: impl Into<String>, value: Value) -> Option<Value> {
        lock(&self.0).insert(key.into(), value)
    }

    pub(crate) fn get(&self, key: &str) -> Option<Value> {
        lock(&self.0).get(key).cloned()
    }

    /// Whether the value of this name is this one; one that is not there is `null`.
    pub(crate) fn is(&self, key: &str, value: &Value) -> bool {
        lock(&self.0).get(key).unwrap_or(&Value::Null) == value
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_another_if_its_kind_is() {
        let meta = Meta::default();
        assert!(meta.is("n", &Value::Null), "a value that is not there");
        assert_eq!(meta.set("n", json!(1)), None);
        assert!(meta.is("n", &json!(1)) && !meta.is("n", &json!("1")) && !meta.is("m", &json!(1)));
        assert!(!meta.is("n", &Value::Null));
        assert_eq!(meta.set("n", json!("x")), Some(json!(1)));
        assert_eq!(meta.get("n"), Some(json!("x")));
    }
}
