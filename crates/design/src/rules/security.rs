//! Who may do what, how that is proved, and what must never leak.

mod audit;
mod authentication;
mod authorization;
mod compliance;
mod personal;
mod rate_limits;
mod secrets;
mod threats;
mod token_lifetime;

pub(crate) use compliance::REGIMES;

rules![
    "security": authentication, token_lifetime, authorization, rate_limits, personal, compliance,
    secrets, audit, threats
];
