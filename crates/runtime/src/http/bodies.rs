//! Bodies on their way in: how many at one time, and how many bytes all of them hold together.
//!
//! A body is announced for the price of a head and may then be sent as slowly as its time limit
//! allows. So it is counted apart from the requests at work, and its bytes are counted as they
//! come, until the request that they belong to is answered: who sends slowly or much is in the
//! way of other bodies at most, and of small ones last.

use super::config::Limits;
use crate::problem::{Problem, kinds};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A body that holds no more finds room where larger ones do not: a quarter of all is kept.
const SMALL_BYTES_MAX: usize = 16 << 10;

/// What all bodies share.
#[derive(Debug)]
pub(super) struct Bodies {
    reading: AtomicUsize,
    reading_max: usize,
    bytes: AtomicUsize,
    bytes_max: usize,
    /// What bodies that are not small may fill.
    large_bytes_max: usize,
}

impl Bodies {
    pub(super) fn new(limits: &Limits) -> Self {
        let bytes_max = limits.bodies_bytes_max;
        // One body of the greatest length always fits where nothing else is held.
        let large_bytes_max = (bytes_max - bytes_max / 4).max(limits.body_bytes_max);
        Self {
            reading: AtomicUsize::new(0),
            reading_max: limits.bodies_max,
            bytes: AtomicUsize::new(0),
            bytes_max: bytes_max.max(large_bytes_max),
            large_bytes_max,
        }
    }

    /// Bodies that are being read.
    pub(super) fn reading(&self) -> usize {
        self.reading.load(Relaxed)
    }

    /// Bytes that are held.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }

    /// A place to read a body in.
    pub(super) fn place(self: &Arc<Self>) -> Result<Place, Problem> {
        let place = Place(self.clone());
        match self.reading.fetch_add(1, Relaxed) < self.reading_max {
            true => Ok(place),
            false => Err(busy("more bodies are being read than the server takes")),
        }
    }

    /// Room for a body's bytes, none yet.
    pub(super) fn hold(self: &Arc<Self>) -> Held {
        Held { bodies: self.clone(), bytes: 0 }
    }
}

/// Told to who finds no room.
pub(super) fn busy(why: &str) -> Problem {
    Problem::new(kinds::UNAVAILABLE).retry_after(1).detail(why)
}

/// A body that is being read.
#[derive(Debug)]
pub(super) struct Place(Arc<Bodies>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.reading.fetch_sub(1, Relaxed);
    }
}

/// The bytes of one body, counted until this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    bodies: Arc<Bodies>,
    bytes: usize,
}

impl Held {
    /// The body takes so many bytes by now.
    ///
    /// # Errors
    /// 503 where that is more than is left.
    pub(super) fn grow_to(&mut self, bytes: usize) -> Result<(), Problem> {
        let more = bytes.saturating_sub(self.bytes);
        let Bodies { bytes_max, large_bytes_max, .. } = *self.bodies;
        let max = if bytes <= SMALL_BYTES_MAX { bytes_max } else { large_bytes_max };
        let room = |held: usize| held.checked_add(more).filter(|after| *after <= max);
        match self.bodies.bytes.fetch_update(Relaxed, Relaxed, room) {
            Ok(_) => {
                self.bytes += more;
                Ok(())
            }
            Err(_) => Err(busy("the bodies being read hold all the memory there is for them")),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.bodies.bytes.fetch_sub(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies(bytes_max: usize, body_bytes_max: usize) -> Arc<Bodies> {
        let limits = Limits {
            bodies_bytes_max: bytes_max,
            body_bytes_max,
            bodies_max: 2,
            ..Limits::default()
        };
        Arc::new(Bodies::new(&limits))
    }

    #[test]
    fn bytes_are_given_back_when_their_request_is_done() {
        let bodies = bodies(400 << 10, 100 << 10);
        let mut all: Vec<_> = (0..3).map(|_| bodies.hold()).collect();
        assert!(all.iter_mut().all(|held| held.grow_to(100 << 10).is_ok()));
        let mut late = bodies.hold();
        assert!(late.grow_to(SMALL_BYTES_MAX).is_ok(), "a small body finds room");
        assert!(late.grow_to(SMALL_BYTES_MAX + 1).is_err(), "a larger one does not");
        assert_eq!(bodies.bytes(), (300 << 10) + SMALL_BYTES_MAX);
        all.clear();
        assert!(late.grow_to(SMALL_BYTES_MAX + 1).is_ok());
        drop(late);
        assert_eq!(bodies.bytes(), 0);
    }

    #[test]
    fn the_longest_body_fits_where_nothing_else_is_held() {
        let bodies = bodies(100 << 10, 100 << 10);
        assert!(bodies.hold().grow_to(100 << 10).is_ok());
    }

    #[test]
    fn places_are_given_back_also_by_who_got_none() {
        let bodies = bodies(1, 1);
        let two = [bodies.place(), bodies.place()];
        assert!(two.iter().all(Result::is_ok));
        assert!(bodies.place().is_err());
        drop(two);
        assert_eq!(bodies.reading(), 0);
        assert!(bodies.place().is_ok());
    }
}
