//! An answer that is kept for a moment, because asking for it is much work.

use tokio::sync::Mutex;

use crate::clock::Time;

/// The last answer, and when it was asked for.
#[derive(Debug)]
pub struct Kept<T>(Mutex<Option<(Time, T)>>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Kept(Mutex::new(None))
    }
}

impl<T: Clone> Kept<T> {
    /// The answer, which is at most so many seconds old. One caller asks for a new one; who comes meanwhile waits for it.
    pub async fn get<E>(&self, now: Time, seconds: u32, ask: impl AsyncFnOnce() -> Result<T, E>) -> Result<T, E> {
        let mut kept = self.0.lock().await;
        if let Some((_, answer)) = kept.as_ref().filter(|(at, _)| now < at.plus_seconds(seconds)) {
            return Ok(answer.clone());
        }
        let answer = ask().await?;
        *kept = Some((now, answer.clone()));
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::Kept;
    use crate::clock::{Clock, SystemClock};

    #[tokio::test]
    async fn one_asks_for_all_until_the_answer_is_too_old() {
        let (kept, asked, now) = (Kept::default(), Cell::new(0), SystemClock.now());
        let get = |seconds| {
            kept.get(now.plus_seconds(seconds), 15, async || {
                tokio::task::yield_now().await;
                asked.set(asked.get() + 1);
                Ok::<_, ()>(asked.get())
            })
        };
        assert_eq!(tokio::join!(get(0), get(0), get(14)), (Ok(1), Ok(1), Ok(1)));
        assert_eq!(kept.get(now.plus_seconds(15), 15, async || Err("down")).await, Err("down"));
        assert_eq!((get(15).await, get(20).await), (Ok(2), Ok(2)));
    }
}
