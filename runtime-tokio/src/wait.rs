//! Waiting for one thing or another, on any runtime.

use std::fmt;
use std::future::{Future, pending};
use std::time::{Duration, Instant};

use futures_lite::future::or;

use crate::rt::sleep_until;

/// The time was up first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time was up")
    }
}

impl std::error::Error for Elapsed {}

/// Waits for `future`, for at most this long. What is ready at once counts even if the time is zero.
///
/// # Errors
///
/// When the time was up first; the future is dropped then.
pub async fn timeout<T>(time: Duration, future: impl Future<Output = T>) -> Result<T, Elapsed> {
    or(async { Ok(future.await) }, async {
        sleep(time).await;
        Err(Elapsed)
    })
    .await
}

/// Waits this long. A time beyond what the clock can show is for ever.
pub async fn sleep(time: Duration) {
    sleep_or_never(Instant::now().checked_add(time)).await;
}

/// Waits until then, or for ever.
pub(crate) async fn sleep_or_never(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => pending().await,
    }
}

/// Waits for `future` if there is reason to, else for ever.
pub(crate) async fn only_if<T>(is_wanted: bool, future: impl Future<Output = T>) -> T {
    if is_wanted { future.await } else { pending().await }
}
