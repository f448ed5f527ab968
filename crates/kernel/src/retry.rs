//! When something that failed is tried again.
//!
//! Two ladders: delays that double and are drawn anew each time, over their whole width (full
//! jitter), so that those who failed together do not come back together; and a list of delays, for
//! those who were promised one. Both honour what the other side asks for (`Retry-After`) as a
//! floor, and neither goes beyond a deadline.

/// What the other side asks for is believed up to a day.
pub const RETRY_AFTER_MAX_MICROS: i64 = 86_400_000_000;

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// Delays before each attempt at a webhook: the first is made at once.
pub const WEBHOOK_DELAYS_MICROS: [i64; 10] = [
    0,
    5 * SECOND,
    5 * MINUTE,
    30 * MINUTE,
    2 * HOUR,
    5 * HOUR,
    10 * HOUR,
    14 * HOUR,
    20 * HOUR,
    24 * HOUR,
];

/// How often and after which delays something is tried.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ladder {
    /// Before attempt n + 1 a delay of 0 to `base * 2^(n - 1)`, no more than `cap`, drawn anew.
    Exponential {
        /// Upper end of the first delay, in microseconds.
        base_micros: i64,
        /// Upper end of any delay, in microseconds.
        cap_micros: i64,
        /// Attempts in all, the first among them.
        attempts_max: u32,
    },
    /// A delay before each attempt, that of the first among them: as many attempts as delays.
    Fixed {
        /// Microseconds.
        delays_micros: Vec<i64>,
        /// So much of each delay comes on top, at most, drawn anew.
        jitter_percent: u8,
    },
}

/// What bounds a delay beside the ladder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bounds {
    /// The other side asked for no attempt before that, in microseconds from now.
    pub retry_after_micros: Option<i64>,
    /// An attempt is of no use any more after that, in microseconds from now.
    pub left_micros: Option<i64>,
}

impl Ladder {
    /// The ladder of webhooks: [`WEBHOOK_DELAYS_MICROS`], each up to a tenth longer.
    pub fn webhook() -> Self {
        Self::Fixed { delays_micros: WEBHOOK_DELAYS_MICROS.to_vec(), jitter_percent: 10 }
    }

    /// Microseconds from now to the next attempt; none where there is none any more. `attempts` is
    /// how many were made, `random` 64 even bits.
    pub fn next(&self, attempts: u32, random: u64, bounds: Bounds) -> Option<i64> {
        let own = match self {
            Self::Exponential { base_micros, cap_micros, attempts_max } => {
                if attempts >= *attempts_max {
                    return None;
                }
                let doublings = attempts.saturating_sub(1).min(62);
                let width = base_micros.saturating_mul(1 << doublings).min(*cap_micros);
                draw(random, width)
            }
            Self::Fixed { delays_micros, jitter_percent } => {
                let delay = *delays_micros.get(usize::try_from(attempts).ok()?)?;
                let width = delay / 100 * i64::from(*jitter_percent);
                delay.saturating_add(draw(random, width))
            }
        };
        let floor = bounds.retry_after_micros.unwrap_or(0).clamp(0, RETRY_AFTER_MAX_MICROS);
        let delay = own.max(floor);
        bounds.left_micros.is_none_or(|left| delay < left).then_some(delay)
    }
}

/// An even draw from 0 to `width`, both included.
fn draw(random: u64, width: i64) -> i64 {
    let values = u128::from(u64::try_from(width).unwrap_or(0)) + 1;
    i64::try_from((u128::from(random) * values) >> 64).unwrap_or(width)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Bounds = Bounds { retry_after_micros: None, left_micros: None };

    fn doubling() -> Ladder {
        Ladder::Exponential { base_micros: 100, cap_micros: 1_000, attempts_max: 6 }
    }

    #[test]
    fn delays_double_up_to_the_cap_and_end_with_the_attempts() {
        let widest = |attempts| doubling().next(attempts, u64::MAX, NONE);
        let all: Vec<Option<i64>> = (1..=6).map(widest).collect();
        assert_eq!(all, [Some(100), Some(200), Some(400), Some(800), Some(1_000), None]);
    }

    #[test]
    fn a_delay_is_drawn_over_its_whole_width() {
        assert_eq!(doubling().next(2, 0, NONE), Some(0));
        assert_eq!(doubling().next(2, u64::MAX / 2, NONE), Some(100));
        assert_eq!(doubling().next(2, u64::MAX, NONE), Some(200));
    }

    #[test]
    fn webhooks_are_tried_ten_times_up_to_a_tenth_later_than_promised() {
        let ladder = Ladder::webhook();
        for (attempts, delay) in WEBHOOK_DELAYS_MICROS.into_iter().enumerate() {
            let attempts = u32::try_from(attempts).expect("ten");
            assert_eq!(ladder.next(attempts, 0, NONE), Some(delay));
            assert_eq!(ladder.next(attempts, u64::MAX, NONE), Some(delay + delay / 10));
        }
        assert_eq!(ladder.next(10, 0, NONE), None);
    }

    #[test]
    fn what_the_other_side_asks_for_is_a_floor_up_to_a_day() {
        let after = |micros| Bounds { retry_after_micros: Some(micros), left_micros: None };
        assert_eq!(doubling().next(1, u64::MAX, after(5_000)), Some(5_000));
        assert_eq!(doubling().next(1, u64::MAX, after(50)), Some(100));
        assert_eq!(doubling().next(1, 0, after(-1)), Some(0));
        assert_eq!(doubling().next(1, 0, after(i64::MAX)), Some(RETRY_AFTER_MAX_MICROS));
        assert_eq!(doubling().next(6, 0, after(1)), None);
    }

    #[test]
    fn no_attempt_is_made_after_the_deadline() {
        let left = |micros| Bounds { retry_after_micros: Some(500), left_micros: Some(micros) };
        assert_eq!(doubling().next(1, 0, left(501)), Some(500));
        assert_eq!(doubling().next(1, 0, left(500)), None);
    }

    #[test]
    fn extremes_do_not_overflow() {
        let wide =
            Ladder::Exponential { base_micros: i64::MAX, cap_micros: i64::MAX, attempts_max: 99 };
        assert_eq!(wide.next(98, u64::MAX, NONE), Some(i64::MAX));
        let odd = Ladder::Fixed { delays_micros: vec![-5, i64::MAX], jitter_percent: 100 };
        assert_eq!(odd.next(0, u64::MAX, NONE), Some(0));
        assert_eq!(odd.next(1, u64::MAX, NONE), Some(i64::MAX));
    }
}
