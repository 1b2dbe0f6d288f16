//! A limit on the memory that request bodies take together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Bytes of all request bodies that are held in memory.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: u64,
    used: AtomicU64,
}

/// The part of a [`Budget`] that one request holds until it is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    budget: Arc<Budget>,
    held: AtomicU64,
}

/// The budget has no room for a body.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the request bodies that are held in memory reached their limit")]
pub(crate) struct OutOfMemory;

impl Budget {
    pub(crate) fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicU64::new(0) })
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// # Errors
    /// [`OutOfMemory`].
    pub(crate) fn reserve(self: &Arc<Self>, bytes: u64) -> Result<Arc<Reservation>, OutOfMemory> {
        let reservation = Reservation { budget: Arc::clone(self), held: AtomicU64::new(0) };
        reservation.grow(bytes)?;
        Ok(Arc::new(reservation))
    }
}

impl Reservation {
    /// # Errors
    /// [`OutOfMemory`]; what was held before is still.
    pub(crate) fn grow(&self, bytes: u64) -> Result<(), OutOfMemory> {
        let fits = |used: u64| used.checked_add(bytes).filter(|used| *used <= self.budget.limit);
        self.budget.used.fetch_update(Relaxed, Relaxed, fits).map_err(|_| OutOfMemory)?;
        self.held.fetch_add(bytes, Relaxed);
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(*self.held.get_mut(), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_free_again() {
        let budget = Budget::new(10);
        let first = budget.reserve(6).unwrap();
        assert!(budget.reserve(5).is_err() && budget.reserve(u64::MAX).is_err());
        first.grow(4).unwrap();
        assert!(first.grow(1).is_err());
        drop(first);
        assert!(budget.reserve(10).is_ok());
    }
}
