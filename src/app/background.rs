//! Work that no request asks for, and what became of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::clock::SharedClock;
use crate::http::health::Readiness;
use crate::web::system::WorkFacts;

/// Where all background work of this process notes what it did.
#[derive(Clone)]
pub(super) struct Board {
    clock: SharedClock,
    readiness: Readiness,
    works: Arc<Mutex<Vec<WorkFacts>>>,
}

impl Board {
    pub(super) fn new(clock: SharedClock, readiness: Readiness) -> Self {
        Board { clock, readiness, works: Arc::default() }
    }

    pub(super) fn read(&self) -> Vec<WorkFacts> {
        self.works.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Runs `work` each `interval`, and at once again while it says that there is more; from when the process is ready until it stops.
    pub(super) fn every<F, R, E>(
        &self,
        interval: Duration,
        stopped: &watch::Receiver<bool>,
        name: &'static str,
        work: F,
    ) -> JoinHandle<()>
    where
        F: Fn() -> R + Send + 'static,
        R: Future<Output = Result<bool, E>> + Send,
        E: std::fmt::Display + Send,
    {
        let (board, place, mut stopped) = (self.clone(), self.add(name, interval), stopped.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = board.readiness.ready() => {}
                _ = stopped.changed() => return,
            }
            while !*stopped.borrow() {
                let start = Instant::now();
                let result = work().await;
                board.note(place, start.elapsed(), result.as_ref().err().map(ToString::to_string));
                match result {
                    Ok(true) => continue,
                    Ok(false) => {}
                    Err(error) => tracing::warn!(%error, "{name} failed; it is tried again"),
                }
                tokio::select! {
                    _ = tokio::time::sleep(interval) => {}
                    // An error: the shop was dropped without being stopped.
                    changed = stopped.changed() => if changed.is_err() { return },
                }
            }
        })
    }

    fn add(&self, name: &'static str, interval: Duration) -> usize {
        let mut works = self.works.lock().unwrap_or_else(PoisonError::into_inner);
        works.push(WorkFacts {
            name,
            interval,
            runs: 0,
            last_run: None,
            took: Duration::ZERO,
            last_error: None,
            is_here: true,
        });
        works.len() - 1
    }

    fn note(&self, place: usize, took: Duration, error: Option<String>) {
        let now = self.clock.now();
        let mut works = self.works.lock().unwrap_or_else(PoisonError::into_inner);
        let work = &mut works[place];
        work.runs += 1;
        work.last_run = Some(now);
        work.took = took;
        if let Some(error) = error {
            work.last_error = Some((now, error));
        }
    }
}
