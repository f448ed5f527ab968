//! Hit ratios: Zipf popularity, an LRU cache by Che's approximation, and a cache of limited time.
//!
//! Che's approximation holds within a per cent from a few hundred items on (Fricker et al. 2012);
//! for tiny caches it is off by a few per cent, as the tests show.

/// Items that are looked at one by one; the tail behind them is taken in geometric groups.
const ITEMS_EXACT: u64 = 128;
/// Growth of the groups of the tail; the error this makes is below 0.1 %.
const GROUP_GROWTH: f64 = 1.06;

/// Popularity of `items` by Zipf's law with exponent `skew`, as groups of `(how many, share each)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Zipf {
    groups: Vec<(f64, f64)>,
    items: f64,
}

impl Zipf {
    /// The law for that many items; at least one.
    pub fn new(items: f64, skew: f64) -> Self {
        let items = items.max(1.0).floor();
        let mut groups = Vec::new();
        let exact = (ITEMS_EXACT as f64).min(items);
        let mut rank = 1.0;
        while rank <= exact {
            groups.push((1.0, rank.powf(-skew)));
            rank += 1.0;
        }
        while rank <= items {
            let count = ((rank * (GROUP_GROWTH - 1.0)).floor()).clamp(1.0, items - rank + 1.0);
            groups.push((count, mean_weight(rank, count, skew)));
            rank += count;
        }
        let total: f64 = groups.iter().map(|(count, weight)| count * weight).sum();
        for (_, weight) in &mut groups {
            *weight /= total;
        }
        Self { groups, items }
    }

    /// Share of the requests that ask for the most popular item.
    pub fn top(&self) -> f64 {
        self.groups.first().map_or(1.0, |(_, share)| *share)
    }

    /// Share of the requests that ask for one of the `count` most popular items: no cache of so
    /// many items does better.
    pub fn top_share(&self, count: f64) -> f64 {
        let mut left = count;
        let mut share = 0.0;
        for (many, each) in &self.groups {
            let taken = many.min(left);
            share += taken * each;
            left -= taken;
            if left <= 0.0 {
                break;
            }
        }
        share
    }

    /// Hit ratio of an LRU cache that holds `capacity` items (Che's approximation: an item stays
    /// for a characteristic time `T` at which the expected content is the capacity).
    pub fn lru(&self, capacity: f64) -> f64 {
        if capacity >= self.items {
            return 1.0;
        }
        if capacity <= 0.0 {
            return 0.0;
        }
        let content = |time: f64| {
            self.groups.iter().map(|(count, p)| count * -(-p * time).exp_m1()).sum::<f64>()
        };
        let mut high = capacity;
        while content(high) < capacity {
            high *= 2.0;
        }
        let mut low = 0.0;
        for _ in 0..60 {
            let middle = (low + high) / 2.0;
            if content(middle) < capacity {
                low = middle;
            } else {
                high = middle;
            }
        }
        self.groups.iter().map(|(count, p)| count * p * -(-p * high).exp_m1()).sum()
    }

    /// Hit ratio where each item is kept `seconds` after it was fetched and room is no limit, at
    /// `rate` requests a second: of the requests of an item at rate `r`, `r·t / (1 + r·t)` hit.
    pub fn timed(&self, rate: f64, seconds: f64) -> f64 {
        let hit = |p: f64| {
            let expected = rate * p * seconds;
            expected / (1.0 + expected)
        };
        self.groups.iter().map(|(count, p)| count * p * hit(*p)).sum()
    }

    /// Different items that `requests` requests ask for in the mean.
    pub fn distinct(&self, requests: f64) -> f64 {
        self.groups.iter().map(|(count, p)| count * -(-p * requests).exp_m1()).sum()
    }

    /// Items that such a timed cache holds in the mean: those asked for within their time.
    pub fn timed_content(&self, rate: f64, seconds: f64) -> f64 {
        let held = |p: f64| {
            let expected = rate * p * seconds;
            expected / (1.0 + expected)
        };
        self.groups.iter().map(|(count, p)| count * held(*p)).sum()
    }
}

/// Mean of `rank^-skew` over `count` ranks from `rank`, by the integral between half ranks.
fn mean_weight(rank: f64, count: f64, skew: f64) -> f64 {
    let (from, to) = (rank - 0.5, rank + count - 0.5);
    let area = if (skew - 1.0).abs() < 1e-9 {
        (to / from).ln()
    } else {
        (to.powf(1.0 - skew) - from.powf(1.0 - skew)) / (1.0 - skew)
    };
    area / count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, exact: f64, tolerance: f64) {
        assert!((found - exact).abs() < tolerance, "{found} is not {exact}");
    }

    #[test]
    fn che_meets_the_published_hit_ratios() {
        near(Zipf::new(5.0, 1.0).lru(2.0), 0.510_826, 1e-5);
        near(Zipf::new(1e4, 0.8).lru(100.0), 0.156_625, 5e-4);
        near(Zipf::new(1e4, 0.8).lru(1e3), 0.436_660, 5e-4);
        near(Zipf::new(1e4, 0.8).top_share(1e3), 0.570_618, 5e-4);
        near(Zipf::new(1e4, 1.0).lru(1e3), 0.675_602, 5e-4);
        near(Zipf::new(1e5, 1.0).lru(1e3), 0.506_170, 5e-4);
    }

    #[test]
    fn che_is_a_little_below_the_exact_ratio_for_a_tiny_cache() {
        let exact = 0.518_885;
        let che = Zipf::new(5.0, 1.0).lru(2.0);
        assert!(che < exact && exact - che < 0.01);
    }

    #[test]
    fn a_cache_of_everything_always_hits_and_of_nothing_never() {
        let zipf = Zipf::new(1_000.0, 0.9);
        near(zipf.lru(1_000.0), 1.0, 1e-12);
        near(zipf.lru(0.0), 0.0, 1e-12);
        near(zipf.top_share(1_000.0), 1.0, 1e-9);
    }

    #[test]
    fn more_traffic_or_time_never_hits_less_in_a_timed_cache() {
        let zipf = Zipf::new(1e6, 0.8);
        assert!(zipf.timed(100.0, 60.0) > zipf.timed(10.0, 60.0));
        assert!(zipf.timed(100.0, 600.0) > zipf.timed(100.0, 60.0));
        assert!(zipf.timed(100.0, 60.0) < 1.0);
    }
}
