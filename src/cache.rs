//! A small bounded cache that is read without a lock.

use std::sync::Arc;

use arc_swap::ArcSwap;

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

    pub(crate) fn find(&self, matches: impl Fn(&V) -> bool) -> Option<Arc<V>> {
        self.entries.load().iter().find(|value| matches(value)).cloned()
    }

    /// Adds a value at the front: the latest is found first.
    ///
    /// Two callers that miss at the same time both add theirs; the values are equal, and the older one is dropped in time.
    pub(crate) fn add(&self, value: V) -> Arc<V> {
        let value = Arc::new(value);
        self.entries.rcu(|entries| {
            let kept = entries.iter().take(self.bound.saturating_sub(1)).cloned();
            std::iter::once(Arc::clone(&value)).chain(kept).collect::<Vec<_>>()
        });
        value
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.load().len()
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
        assert_eq!(cache.find(|value| *value == 1), None);
        assert_eq!(cache.find(|value| *value == 4).as_deref(), Some(&4));
    }
}
