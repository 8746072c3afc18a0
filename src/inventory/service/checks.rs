//! Checks that take long, as that of a large HTML text does: away from the threads that answer requests, and before a transaction
//! begins.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::inventory::InventoryError;

/// So many may wait for a place.
const WAITING_MAX: usize = 100;

/// As many checks at a time as there are processors.
pub(super) struct Checks {
    running: Arc<Semaphore>,
    waiting: Semaphore,
}

impl Default for Checks {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Checks { running: Arc::new(Semaphore::new(processors)), waiting: Semaphore::new(WAITING_MAX) }
    }
}

impl Checks {
    /// Runs a check on a thread that it may keep busy; `Busy` at once when too many wait already.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        check: impl FnOnce() -> Result<T, InventoryError> + Send + 'static,
    ) -> Result<T, InventoryError> {
        let permit = {
            let _place = self.waiting.try_acquire().map_err(|_| InventoryError::Busy)?;
            self.running.clone().acquire_owned().await.map_err(|_| InventoryError::Busy)?
        };
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            check()
        });
        match task.await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(InventoryError::Busy),
            },
        }
    }
}
