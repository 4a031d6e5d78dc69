//! A subscriber that keeps what it is told.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

/// All spans and events, at every level.
#[derive(Clone, Debug, Default)]
pub struct Spans {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    spans: Vec<Recorded>,
    open: usize,
    most_open: usize,
    events: Vec<String>,
}

/// One span.
#[derive(Clone, Debug)]
pub struct Recorded {
    id: u64,
    /// Its name.
    pub name: &'static str,
    /// Its fields, those recorded later included.
    pub fields: BTreeMap<String, String>,
    /// Whether it was ended.
    pub ended: bool,
}

impl Spans {
    /// The subscriber that fills this.
    pub fn subscriber(&self) -> impl Subscriber + Send + Sync + use<> {
        Registry::default().with(self.clone())
    }

    /// All spans of this name so far.
    pub fn named(&self, name: &str) -> Vec<Recorded> {
        self.state.lock().unwrap().spans.iter().filter(|span| span.name == name).cloned().collect()
    }

    /// The spans that were begun and not ended.
    pub fn open(&self) -> Vec<Recorded> {
        self.state.lock().unwrap().spans.iter().filter(|span| !span.ended).cloned().collect()
    }

    /// The most that were ever open at once.
    pub fn most_open(&self) -> usize {
        self.state.lock().unwrap().most_open
    }

    /// Every word in it: names, fields, events.
    pub fn text(&self) -> String {
        let state = self.state.lock().unwrap();
        format!("{:?} {:?}", state.spans, state.events)
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let mut state = self.state.lock().unwrap();
        let name = attributes.metadata().name();
        state.spans.push(Recorded { id: id.into_u64(), name, fields: fields.0, ended: false });
        state.open += 1;
        state.most_open = state.most_open.max(state.open);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        if let Some(span) = self.state.lock().unwrap().find(id) {
            span.fields.extend(fields.0);
        }
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let line = format!("{} {:?}", event.metadata().target(), fields.0);
        self.state.lock().unwrap().events.push(line);
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        let mut state = self.state.lock().unwrap();
        state.open -= 1;
        state.find(&id).unwrap().ended = true;
    }
}

impl State {
    /// The open span of this id: ids of ended ones are used again.
    fn find(&mut self, id: &Id) -> Option<&mut Recorded> {
        self.spans.iter_mut().rev().find(|span| span.id == id.into_u64() && !span.ended)
    }
}

#[derive(Default)]
struct Fields(BTreeMap<String, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }
}
