//! Events as handlers have them.

use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use wscengine_rooms_protocol::json;

/// An event: a name, and data.
///
/// # Examples
/// ```
/// use wscengine_rooms_server::grows::Event;
///
/// let event = Event::new("move", &[3, 4])?;
/// let (x, y): (i32, i32) = event.data.json()?;
/// assert_eq!((&*event.name, x, y), ("move", 3, 4));
/// assert_eq!(event.data.get(), "[3,4]");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// The name, perhaps empty.
    #[serde(rename = "event", serialize_with = "as_text")]
    pub name: Arc<str>,
    /// What it brings along; `null` if there is none.
    pub data: Data,
}

fn as_text<S: Serializer>(name: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(name)
}

impl Event {
    /// An event of this name, with any data that can be JSON.
    ///
    /// # Errors
    /// The data cannot be written as JSON.
    pub fn new(
        name: impl Into<Arc<str>>,
        data: &(impl Serialize + ?Sized),
    ) -> Result<Self, serde_json::Error> {
        Ok(Self { name: name.into(), data: Data(json::encode(data)?) })
    }
}

/// The data of an event: JSON that is checked, but not taken apart before somebody asks for it.
///
/// It can be sent on as it is: wherever data is wanted, `&event.data` will do.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Data(Box<RawValue>);

impl Data {
    pub(super) fn of(raw: &RawValue) -> Self {
        Self(raw.to_owned())
    }

    /// The JSON text, as the client wrote it.
    #[must_use]
    pub fn get(&self) -> &str {
        self.0.get()
    }

    /// Reads it as any type that can be made of JSON; a `serde_json::Value` takes everything.
    ///
    /// # Errors
    /// It is JSON of another kind.
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.get())
    }
}

impl PartialEq for Data {
    /// Whether the texts are the same.
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Eq for Data {}
