//! A bounded queue in which each key waits behind its own: keys are served in turn, so one that brings much does not keep others waiting.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The queue takes no more, or not from this key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the queue is full")]
pub(super) struct Full;

/// The queue.
pub(super) struct FairQueue<K, T> {
    state: Mutex<State<K, T>>,
    filled: Condvar,
    /// The same for [`FairQueue::take_stalled`].
    watched: Condvar,
    overall: usize,
    each: usize,
}

struct State<K, T> {
    /// Those that wait, by key; no key without any.
    waiting: HashMap<K, VecDeque<T>>,
    /// Keys in the order in which they come to their turn.
    turns: VecDeque<K>,
    length: usize,
    /// How many were taken out so far, but by [`FairQueue::take_stalled`].
    taken: u64,
    closed: bool,
}

impl<K: Eq + Hash + Copy, T> FairQueue<K, T> {
    /// With room for so many, and so many of one key.
    pub(super) fn new(overall: usize, each: usize) -> FairQueue<K, T> {
        let state = State { waiting: HashMap::new(), turns: VecDeque::new(), length: 0, taken: 0, closed: false };
        let (filled, watched) = (Condvar::new(), Condvar::new());
        FairQueue { state: Mutex::new(state), filled, watched, overall, each }
    }

    /// Puts one in.
    pub(super) fn put(&self, key: K, item: T) -> Result<(), Full> {
        let mut guard = self.state();
        let state = &mut *guard;
        let own = state.waiting.entry(key).or_default();
        if state.closed || state.length >= self.overall || own.len() >= self.each {
            if own.is_empty() {
                state.waiting.remove(&key);
            }
            return Err(Full);
        }
        if own.is_empty() {
            state.turns.push_back(key);
        }
        own.push_back(item);
        state.length += 1;
        let is_first = state.length == 1;
        drop(guard);
        self.filled.notify_one();
        if is_first {
            self.watched.notify_one();
        }
        Ok(())
    }

    /// Takes the next out, waiting for one; none once it is closed and empty.
    pub(super) fn take(&self) -> Option<T> {
        let mut guard = self.state();
        loop {
            if let Some(item) = guard.next() {
                guard.taken += 1;
                return Some(item);
            }
            if guard.closed {
                return None;
            }
            guard = self.filled.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// For one who only steps in: takes the next out when something waited for as long as `patience` and nobody else took anything.
    pub(super) fn take_stalled(&self, patience: Duration) -> Option<T> {
        let mut guard = self.state();
        loop {
            if guard.length == 0 {
                if guard.closed {
                    return None;
                }
                guard = self.watched.wait(guard).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let taken = guard.taken;
            let waited = self.watched.wait_timeout_while(guard, patience, |state| state.taken == taken && !state.closed);
            guard = waited.unwrap_or_else(PoisonError::into_inner).0;
            if (guard.taken == taken || guard.closed)
                && let Some(item) = guard.next()
            {
                return Some(item);
            }
        }
    }

    /// Takes nothing more; what waits is still taken out.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.filled.notify_all();
        self.watched.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State<K, T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash + Copy, T> State<K, T> {
    fn next(&mut self) -> Option<T> {
        let key = self.turns.pop_front()?;
        let own = self.waiting.get_mut(&key)?;
        let item = own.pop_front()?;
        if own.is_empty() {
            self.waiting.remove(&key);
        } else {
            self.turns.push_back(key);
        }
        self.length -= 1;
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_served_in_turn() {
        let queue = FairQueue::new(100, 50);
        for number in 0..10 {
            queue.put("storm", number).unwrap();
        }
        queue.put("quiet", 100).unwrap();
        queue.put("quiet", 101).unwrap();
        queue.close();
        let taken: Vec<i32> = std::iter::from_fn(|| queue.take()).collect();
        assert_eq!(taken, [0, 100, 1, 101, 2, 3, 4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn one_key_leaves_room_for_others() {
        let queue = FairQueue::new(100, 50);
        assert_eq!((0..200).filter(|number| queue.put("storm", *number).is_ok()).count(), 50);
        assert_eq!((0..200).filter(|number| queue.put("other", *number).is_ok()).count(), 50);
        assert_eq!(queue.put("third", 1), Err(Full));
        assert_eq!(queue.state().waiting.len(), 2, "a key that got nothing in is not remembered");
        queue.take();
        assert_eq!(queue.put("third", 1), Ok(()));
        queue.close();
        assert_eq!(queue.put("third", 2), Err(Full));
    }
}
