//! What the crate says through `tracing`, event by event.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// One event of this crate: its level, and its fields as text, the message among them.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) level: Level,
    fields: BTreeMap<&'static str, String>,
}

impl Said {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    pub(crate) fn message(&self) -> &str {
        self.field("message").unwrap_or_default()
    }
}

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }
}

/// Captures what this thread logs at DEBUG and above, and with it what a runtime of one thread does.
pub(crate) struct Events {
    said: Arc<Mutex<Vec<Said>>>,
    _guard: DefaultGuard,
}

impl Events {
    pub(crate) fn capture() -> Self {
        let said = Arc::<Mutex<Vec<Said>>>::default();
        let subscriber = tracing_subscriber::registry().with(Capture(Arc::clone(&said)));
        Self { said, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// The events since the last call whose message contains this.
    pub(crate) fn take(&self, message: &str) -> Vec<Said> {
        let said = std::mem::take(&mut *self.said.lock().unwrap());
        said.into_iter().filter(|said| said.message().contains(message)).collect()
    }
}

struct Capture(Arc<Mutex<Vec<Said>>>);

impl<S: Subscriber> Layer<S> for Capture {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target().starts_with("sigv4_middleware") {
            let mut said = Said { level: *event.metadata().level(), fields: BTreeMap::new() };
            event.record(&mut said);
            self.0.lock().unwrap().push(said);
        }
    }
}
