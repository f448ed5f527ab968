//! What happens when something fails.

mod availability;
mod breakers;
mod bulkheads;
mod fallbacks;
mod recovery;
mod retries;
mod shedding;
mod timeouts;

rules!["resilience":
    availability, recovery, timeouts, retries, breakers, bulkheads, fallbacks, shedding,
];
