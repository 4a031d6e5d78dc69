//! What an application keeps with a connection.

use serde_json::Value;

use super::Conn;

/// The values of a connection, by name: [`Conn::values`].
///
/// # Examples
/// ```
/// use wscengine_rooms_server::iris::Conn;
///
/// fn greet(conn: &Conn) -> String {
///     conn.values().set("visits", conn.values().int("visits") + 1);
///     format!("{}, visit {}", conn.values().string("name"), conn.values().int("visits"))
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Values<'a>(pub(super) &'a Conn);

impl Values<'_> {
    /// Sets a value; the one it had.
    pub fn set(&self, key: impl Into<String>, value: impl Into<Value>) -> Option<Value> {
        self.0.link().member.meta().set(key, value.into())
    }

    /// The value of this name.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Value> {
        self.0.link().member.meta().get(key)
    }

    /// A value that is text; empty if it is something else, or nothing.
    #[must_use]
    pub fn string(&self, key: &str) -> String {
        match self.get(key) {
            Some(Value::String(text)) => text,
            _ => String::new(),
        }
    }

    /// A value that is a list of texts; `None` if it is something else.
    #[must_use]
    pub fn strings(&self, key: &str) -> Option<Vec<String>> {
        let Value::Array(items) = self.get(key)? else { return None };
        let text = |item| if let Value::String(text) = item { Some(text) } else { None };
        items.into_iter().map(text).collect()
    }

    /// A value that is a whole number, or the text of one in decimal; 0 if it is something else.
    #[must_use]
    pub fn int(&self, key: &str) -> i64 {
        match self.get(key) {
            Some(Value::Number(number)) => number.as_i64().unwrap_or(0),
            Some(Value::String(text)) => text.parse().unwrap_or(0),
            _ => 0,
        }
    }
}
