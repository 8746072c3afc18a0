//! How long is waited for a body that may take as long as its line is slow: who stands still gives up his place.

use std::time::{Duration, Instant};

use crate::error::{ErrorCode, Problem};

/// So much must come within the time that any other request has in all, again and again.
const PACE_BYTES: usize = 16 * 1024;

/// How long a sender is still waited for.
pub struct Pace {
    patience: Duration,
    left: Duration,
    /// What has come since `left` was all of the patience.
    came: usize,
}

impl Pace {
    pub fn new(patience: Duration) -> Self {
        Pace { patience, left: patience, came: 0 }
    }

    /// What comes next.
    pub async fn wait<T>(&mut self, next: impl Future<Output = T>) -> Result<T, Problem> {
        let begin = Instant::now();
        let next = tokio::time::timeout(self.left, next).await.map_err(|_| {
            let detail = format!("Less than {PACE_BYTES} bytes of the body came in {:?}.", self.patience);
            Problem::new(ErrorCode::RequestTimeout, detail)
        });
        self.left = self.left.saturating_sub(begin.elapsed());
        next
    }

    /// So many bytes have come.
    pub fn came(&mut self, bytes: usize) {
        self.came += bytes;
        if self.came >= PACE_BYTES {
            (self.left, self.came) = (self.patience, 0);
        }
    }
}
