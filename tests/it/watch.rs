//! Sees the SQL that the shops on a database send, and can hold a statement up.

use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};

use diesel::connection::{Instrumentation, InstrumentationEvent, set_default_instrumentation};
use emporium::config::{Config, DatabaseUrl};
use tokio::sync::oneshot;

/// What was sent to one database by connections that were opened after [`Watch::start`].
pub(crate) struct Watch(Arc<Watched>);

struct Watched {
    database: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    statements: Vec<String>,
    hold: Option<Hold>,
}

struct Hold {
    beginning: &'static str,
    reached: oneshot::Sender<()>,
    go_on: mpsc::Receiver<()>,
}

/// A statement that is held up, or will be. It goes on when this is dropped.
pub(crate) struct Held {
    reached: Option<oneshot::Receiver<()>>,
    _go_on: mpsc::Sender<()>,
}

static WATCHES: Mutex<Vec<Weak<Watched>>> = Mutex::new(Vec::new());

impl Watch {
    /// Watches the user module's database.
    pub(crate) fn start(config: &Config) -> Watch {
        let database = match &config.user.database.url {
            DatabaseUrl::Sqlite(path) => path.to_string_lossy().into_owned(),
            DatabaseUrl::Postgres(url) => url.clone(),
        };
        let watched = Arc::new(Watched { database, state: Mutex::default() });
        WATCHES.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&watched));
        set_default_instrumentation(|| Some(Box::new(Eye(None)))).unwrap();
        Watch(watched)
    }

    /// The statements since the last time.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.state.lock().unwrap().statements)
    }

    /// Holds up the next statement that begins so, whoever sends it.
    pub(crate) fn hold(&self, beginning: &'static str) -> Held {
        let ((reached, was_reached), (sender, go_on)) = (oneshot::channel(), mpsc::channel());
        self.0.state.lock().unwrap().hold = Some(Hold { beginning, reached, go_on });
        Held { reached: Some(was_reached), _go_on: sender }
    }
}

impl Held {
    /// Returns once the statement is there.
    pub(crate) async fn reached(&mut self) {
        self.reached.take().unwrap().await.unwrap();
    }
}

impl Watched {
    fn see(&self, statement: String) {
        let hold = {
            let mut state = self.state.lock().unwrap();
            let hold = state.hold.take_if(|hold| statement.starts_with(hold.beginning));
            state.statements.push(statement);
            hold
        };
        if let Some(hold) = hold {
            // An error of either: the test is over.
            let _ = hold.reached.send(());
            let _ = hold.go_on.recv();
        }
    }
}

/// On each connection; sees nothing unless its database is watched.
struct Eye(Option<Arc<Watched>>);

impl Instrumentation for Eye {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        match event {
            InstrumentationEvent::StartEstablishConnection { url, .. } => {
                // The shop adds parameters.
                let database = url.split('?').next().unwrap_or_default();
                let watches = WATCHES.lock().unwrap_or_else(PoisonError::into_inner);
                self.0 = watches.iter().filter_map(Weak::upgrade).find(|watched| watched.database == database);
            }
            InstrumentationEvent::StartQuery { query, .. } => {
                if let Some(watched) = &self.0 {
                    watched.see(query.to_string());
                }
            }
            _ => {}
        }
    }
}
