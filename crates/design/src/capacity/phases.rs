//! Percentiles of a response that passes several stations.
//!
//! The wait at a station is zero with one probability and exponential with the other; the service
//! is exponential. The sum of independent such phases is a mixture of hypoexponentials with a
//! closed form. For one M/M/c station it is exact; for a chain it assumes that the stations'
//! times are independent (as in a Jackson network), and with Allen-Cunneen waits it approximates.

use super::queue::Station;

/// A response time: a constant and independent phases.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Response {
    /// Seconds that every request takes.
    constant: f64,
    /// Phases: the probability that it occurs and its mean in seconds.
    phases: Vec<(f64, f64)>,
}

/// Phases of one response at most; the closed form has 2^n terms.
const PHASES_MAX: usize = 8;
/// Halvings in search of a quantile: a thousand-millionth of the mean.
const QUANTILE_STEPS: u32 = 32;

impl Response {
    /// A response that only takes a constant time.
    pub fn constant(seconds: f64) -> Self {
        Self { constant: seconds, phases: Vec::new() }
    }

    /// The same, and that many seconds more in every case.
    pub fn plus(mut self, seconds: f64) -> Self {
        self.constant += seconds;
        self
    }

    /// Adds an exponential phase of that mean, which occurs with that probability.
    pub fn phase(mut self, probability: f64, mean: f64) -> Self {
        if probability > 0.0 && mean > 0.0 && self.phases.len() < PHASES_MAX {
            self.phases.push((probability.min(1.0), mean));
        }
        self
    }

    /// Adds the wait and the service at a station; `service` is this request's own mean.
    pub fn station(self, station: &Station, service: f64) -> Self {
        let wait = station.mean_wait_of_waiters();
        self.phase(station.wait_probability(), wait).phase(1.0, service)
    }

    /// Mean seconds.
    pub fn mean(&self) -> f64 {
        self.constant
            + self.phases.iter().map(|(probability, mean)| probability * mean).sum::<f64>()
    }

    /// Probability that it takes longer than that many seconds.
    pub fn longer_than(&self, seconds: f64) -> f64 {
        self.tail().at(seconds)
    }

    /// The closed form of the tail, to be asked many times.
    pub fn tail(&self) -> Tail {
        let mut tail = Tail { constant: self.constant, endless: false, terms: Vec::new() };
        tail.endless = self.phases.iter().any(|(_, mean)| mean.is_infinite());
        if tail.endless {
            return tail;
        }
        for chosen in 0..1_usize << self.phases.len() {
            let mut probability = 1.0;
            let mut means = Vec::with_capacity(self.phases.len());
            for (at, (occurs, mean)) in self.phases.iter().enumerate() {
                if chosen >> at & 1 == 1 {
                    probability *= occurs;
                    means.push(*mean);
                } else {
                    probability *= 1.0 - occurs;
                }
            }
            if probability > 0.0 {
                hypoexponential(&mut means, probability, &mut tail.terms);
            }
        }
        tail
    }

    /// The seconds that the share `quantile` (0.95) of requests does not exceed.
    pub fn quantile(&self, quantile: f64) -> f64 {
        mixture_quantile(&[(1.0, self)], quantile)
    }
}

/// The tail of a response as a sum of `weight × exp(-t / mean)` behind a constant.
#[derive(Debug, Clone, PartialEq)]
pub struct Tail {
    constant: f64,
    /// A station is overloaded: it takes longer than anything.
    endless: bool,
    terms: Vec<(f64, f64)>,
}

impl Tail {
    /// Probability that it takes longer than that many seconds.
    pub fn at(&self, seconds: f64) -> f64 {
        let rest = seconds - self.constant;
        if rest < 0.0 || self.endless {
            return 1.0;
        }
        let sum: f64 = self.terms.iter().map(|(weight, mean)| weight * (-rest / mean).exp()).sum();
        sum.clamp(0.0, 1.0)
    }
}

/// Probability that a mixture of responses, each with its weight, takes longer than so many
/// seconds.
pub fn mixture_longer_than(parts: &[(f64, &Response)], seconds: f64) -> f64 {
    let weight: f64 = parts.iter().map(|(weight, _)| weight).sum();
    let longer = parts.iter().map(|(part, response)| part * response.longer_than(seconds));
    if weight > 0.0 { longer.sum::<f64>() / weight } else { 0.0 }
}

/// The quantile of a mixture of responses, each with its weight.
pub fn mixture_quantile(parts: &[(f64, &Response)], quantile: f64) -> f64 {
    let weight: f64 = parts.iter().map(|(weight, _)| weight).sum();
    if weight <= 0.0 {
        return 0.0;
    }
    let tails: Vec<(f64, Tail)> =
        parts.iter().map(|(part, response)| (part / weight, response.tail())).collect();
    let tail = |seconds: f64| tails.iter().map(|(part, tail)| part * tail.at(seconds)).sum::<f64>();
    let mut high = parts.iter().map(|(_, response)| response.mean()).fold(1e-6, f64::max);
    if !high.is_finite() {
        return f64::INFINITY;
    }
    while tail(high) > 1.0 - quantile {
        high *= 2.0;
        if high > 1e6 {
            return f64::INFINITY;
        }
    }
    let mut low = 0.0;
    for _ in 0..QUANTILE_STEPS {
        let middle = (low + high) / 2.0;
        if tail(middle) > 1.0 - quantile {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// Adds the terms of P(sum of exponentials > t), weighted; equal means are parted a little so that
/// the closed form holds.
fn hypoexponential(means: &mut [f64], weight: f64, terms: &mut Vec<(f64, f64)>) {
    means.sort_by(f64::total_cmp);
    for at in 1..means.len() {
        let least = means[at - 1] * 1.002;
        if means[at] < least {
            means[at] = least;
        }
    }
    for (at, mean) in means.iter().enumerate() {
        let mut factor = weight;
        for (other_at, other) in means.iter().enumerate() {
            if other_at != at {
                factor *= mean / (mean - other);
            }
        }
        terms.push((factor, *mean));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(servers: u32, utilisation: f64) -> Response {
        let station = Station::poisson(servers, f64::from(servers) * utilisation, 1.0);
        Response::default().station(&station, 1.0)
    }

    fn near(found: f64, exact: f64, tolerance: f64) {
        assert!((found / exact - 1.0).abs() < tolerance, "{found} is not {exact}");
    }

    #[test]
    fn one_server_meets_the_exact_percentiles() {
        let response = of(1, 0.8);
        for (quantile, exact) in
            [(0.50, 3.465_736), (0.95, 14.978_661), (0.99, 23.025_851), (0.999, 34.538_776)]
        {
            near(response.quantile(quantile), exact, 1e-4);
        }
    }

    #[test]
    fn many_servers_meet_the_exact_percentiles() {
        for (servers, utilisation, quantile, exact) in [
            (2, 0.8, 0.95, 7.910_684),
            (2, 0.8, 0.99, 11.937_370),
            (8, 0.8, 0.50, 0.986_334),
            (8, 0.8, 0.95, 3.508_443),
            (8, 0.8, 0.99, 5.152_182),
            (64, 0.9, 0.95, 3.051_669),
            (64, 0.9, 0.99, 4.661_106),
        ] {
            near(of(servers, utilisation).quantile(quantile), exact, 1e-3);
        }
    }

    #[test]
    fn the_mean_of_a_chain_is_the_sum_of_its_stations() {
        let first = Station::poisson(2, 80.0, 0.02);
        let second = Station::poisson(4, 80.0, 0.04);
        let third = Station::poisson(1, 80.0, 0.01);
        let chain =
            Response::default().station(&first, 0.02).station(&second, 0.04).station(&third, 0.01);
        near(chain.mean(), 0.175_377, 1e-5);
        assert!(chain.quantile(0.99) > chain.quantile(0.95));
    }

    #[test]
    fn a_constant_is_its_own_percentile_and_overload_has_none() {
        near(Response::constant(0.2).quantile(0.99), 0.2, 1e-9);
        let overloaded = Station::poisson(1, 2.0, 1.0);
        assert!(Response::default().station(&overloaded, 1.0).quantile(0.5).is_infinite());
    }

    #[test]
    fn a_mixture_lies_between_its_parts() {
        let (quick, slow) = (Response::constant(0.01), Response::constant(0.1));
        near(mixture_quantile(&[(0.9, &quick), (0.1, &slow)], 0.5), 0.01, 1e-6);
        near(mixture_quantile(&[(0.9, &quick), (0.1, &slow)], 0.95), 0.1, 1e-6);
    }
}
