//! A small bounded cache that is read without a lock.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

/// Up to `bound` values, found by a linear search. Adding one more drops the oldest.
///
/// For the few dozen things that a signer derives again and again. Reading takes no lock and no allocation; writing
/// copies the list of pointers.
pub(crate) struct SmallCache<V> {
    entries: ArcSwap<Vec<Arc<V>>>,
    bound: usize,
}

impl<V> SmallCache<V> {
    pub(crate) fn new(bound: usize) -> Self {
        Self { entries: ArcSwap::default(), bound }
    }

    pub(crate) fn find(&self, matches: impl Fn(&V) -> bool) -> Option<Found<V>> {
        let entries = self.entries.load();
        let at = entries.iter().position(|value| matches(value))?;
        Some(Found { entries, at })
    }

    /// Adds a value at the front: the latest is found first.
    ///
    /// Two callers that miss at the same time both add theirs; the values are equal, and the older one is dropped in time.
    pub(crate) fn add(&self, value: V) -> Found<V> {
        self.replace(value, |_| false)
    }

    /// As [`add`](Self::add), in the place of values that are outdated by it.
    pub(crate) fn replace(&self, value: V, is_outdated: impl Fn(&V) -> bool) -> Found<V> {
        let value = Arc::new(value);
        self.entries.rcu(|entries| {
            let kept = entries.iter().filter(|entry| !is_outdated(entry));
            let kept = kept.take(self.bound.saturating_sub(1)).cloned();
            std::iter::once(Arc::clone(&value)).chain(kept).collect::<Vec<_>>()
        });
        Found::new(value)
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.load().len()
    }
}

/// A value of a cache, borrowed: no counter that other threads count with is touched. To be dropped soon.
pub(crate) struct Found<V> {
    entries: Guard<Arc<Vec<Arc<V>>>>,
    at: usize,
}

impl<V> Found<V> {
    /// A value that is in no cache, or not yet known to be.
    pub(crate) fn new(value: Arc<V>) -> Self {
        Self { entries: Guard::from_inner(Arc::new(vec![value])), at: 0 }
    }
}

impl<V> Deref for Found<V> {
    type Target = Arc<V>;

    fn deref(&self) -> &Arc<V> {
        &self.entries[self.at]
    }
}

impl<V> Clone for Found<V> {
    fn clone(&self) -> Self {
        Self { entries: Guard::from_inner(Arc::clone(&self.entries)), at: self.at }
    }
}

impl<V: fmt::Debug> fmt::Debug for Found<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        V::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::SmallCache;

    #[test]
    fn the_oldest_is_dropped() {
        let cache = SmallCache::new(3);
        for value in 0..5 {
            cache.add(value);
        }
        assert_eq!(cache.len(), 3);
        assert!(cache.find(|value| *value == 1).is_none());
        assert_eq!(cache.find(|value| *value == 4).map(|found| **found), Some(4));
    }

    #[test]
    fn what_was_found_outlives_its_place_in_the_cache() {
        let cache = SmallCache::new(1);
        let (added, found) = (cache.add(1), cache.find(|_| true).unwrap());
        let clone = found.clone();
        cache.add(2);
        assert_eq!([**added, **found, **clone], [1, 1, 1]);
        assert!(cache.find(|value| *value == 1).is_none());
    }
}
