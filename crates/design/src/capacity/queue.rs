//! Multi-server queues: Erlang B and C, M/M/c, and Allen-Cunneen for other variabilities.

/// A station of identical servers with one queue, first come first served.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Station {
    /// Servers.
    pub servers: u32,
    /// Arrivals a second.
    pub arrivals: f64,
    /// Mean seconds of service.
    pub service: f64,
    /// Squared coefficient of variation of the times between arrivals; 1 for Poisson.
    pub arrival_variation: f64,
    /// Squared coefficient of variation of the service times; 1 for exponential.
    pub service_variation: f64,
}

impl Station {
    /// M/M/c: Poisson arrivals, exponential service.
    pub fn poisson(servers: u32, arrivals: f64, service: f64) -> Self {
        Self { servers, arrivals, service, arrival_variation: 1.0, service_variation: 1.0 }
    }

    /// Servers busy in the mean: arrivals × service (the utilisation law).
    pub fn load(&self) -> f64 {
        self.arrivals * self.service
    }

    /// Share of the servers that is busy.
    pub fn utilisation(&self) -> f64 {
        self.load() / f64::from(self.servers)
    }

    /// Whether the queue stays bounded.
    pub fn stable(&self) -> bool {
        self.utilisation() < 1.0
    }

    /// Probability that an arrival has to wait (Erlang C); 1 where the station is not stable.
    pub fn wait_probability(&self) -> f64 {
        erlang_c(self.servers, self.load())
    }

    /// Mean seconds in the queue; exact for M/M/c, else the Allen-Cunneen approximation.
    pub fn mean_wait(&self) -> f64 {
        if !self.stable() {
            return f64::INFINITY;
        }
        let spare = f64::from(self.servers) - self.load();
        let variation = (self.arrival_variation + self.service_variation) / 2.0;
        self.wait_probability() * self.service / spare * variation
    }

    /// Mean seconds of those that wait at all.
    pub fn mean_wait_of_waiters(&self) -> f64 {
        let probability = self.wait_probability();
        if probability > 0.0 { self.mean_wait() / probability } else { 0.0 }
    }

    /// Mean requests in the queue, by Little's law.
    pub fn mean_queue(&self) -> f64 {
        self.arrivals * self.mean_wait()
    }
}

/// Probability that all of `servers` are busy and an arrival is lost, for an offered load in
/// Erlang. Holds for every distribution of service times.
pub fn erlang_b(servers: u32, load: f64) -> f64 {
    if load <= 0.0 {
        return 0.0;
    }
    let mut blocked = 1.0;
    for server in 1..=servers {
        let product = load * blocked;
        blocked = product / (f64::from(server) + product);
    }
    blocked
}

/// Probability that an arrival waits in M/M/c; 1 where the load is not below the servers.
pub fn erlang_c(servers: u32, load: f64) -> f64 {
    let servers_f = f64::from(servers);
    if load >= servers_f {
        return 1.0;
    }
    let blocked = erlang_b(servers, load);
    blocked / (1.0 - load / servers_f * (1.0 - blocked))
}

/// The fewest servers whose utilisation stays at or below `target`, at least one.
pub fn servers_for(load: f64, target: f64) -> u32 {
    let needed = (load / target - 1e-9).ceil();
    if needed < 1.0 { 1 } else { needed.min(1e6) as u32 }
}

/// The fewest places of a pool in which at most the share `blocked_max` finds none free.
pub fn places_for(load: f64, blocked_max: f64) -> u32 {
    let mut blocked = 1.0;
    let mut places = 0_u32;
    while blocked > blocked_max && places < 100_000 {
        places += 1;
        let product = load * blocked;
        blocked = product / (f64::from(places) + product);
    }
    places.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, exact: f64) {
        assert!((found - exact).abs() <= exact.abs() * 2e-6 + 1e-9, "{found} is not {exact}");
    }

    #[test]
    fn one_server_four_fifths_busy_holds_five_services_of_time() {
        let station = Station::poisson(1, 0.8, 1.0);
        near(station.mean_wait() + 1.0, 5.0);
        near(station.mean_queue(), 3.2);
    }

    #[test]
    fn erlang_c_meets_the_published_values() {
        near(Station::poisson(2, 1.6, 1.0).wait_probability(), 0.711_111_1);
        near(Station::poisson(2, 1.6, 1.0).mean_wait(), 1.777_777_8);
        near((erlang_c(8, 6.4) * 1e6).round() / 1e6, 0.457_645);
        near((Station::poisson(8, 6.4, 1.0).mean_wait() * 1e6).round() / 1e6, 0.286_028);
        near((erlang_c(64, 57.6) * 1e6).round() / 1e6, 0.310_663);
        near((Station::poisson(64, 57.6, 1.0).mean_wait() * 1e7).round() / 1e7, 0.048_541_1);
    }

    #[test]
    fn erlang_b_meets_the_published_values() {
        near(erlang_b(2, 1.0), 0.2);
        near((erlang_b(5, 3.0) * 1e6).round() / 1e6, 0.110_054);
        near((erlang_b(10, 7.0) * 1e7).round() / 1e7, 0.078_740_9);
        near((erlang_b(64, 57.6) * 1e7).round() / 1e7, 0.043_123_5);
    }

    #[test]
    fn allen_cunneen_and_kingman_scale_the_wait_by_the_mean_variation() {
        let bursty = Station {
            arrival_variation: 2.0,
            service_variation: 0.5,
            ..Station::poisson(1, 0.8, 1.0)
        };
        near(bursty.mean_wait(), 5.0);
        let eight = Station { servers: 8, arrivals: 6.4, ..bursty };
        near((eight.mean_wait() * 1e6).round() / 1e6, 0.357_535);
    }

    #[test]
    fn an_overloaded_station_waits_for_ever() {
        let station = Station::poisson(2, 3.0, 1.0);
        assert!(!station.stable());
        assert!(station.mean_wait().is_infinite());
        near(station.wait_probability(), 1.0);
    }

    #[test]
    fn servers_and_places_are_the_fewest_that_do() {
        assert_eq!(servers_for(1.2, 0.6), 2);
        assert_eq!(servers_for(1.21, 0.6), 3);
        assert_eq!(servers_for(0.0, 0.6), 1);
        let places = places_for(7.0, 0.01);
        assert!(erlang_b(places, 7.0) <= 0.01 && erlang_b(places - 1, 7.0) > 0.01);
    }
}
