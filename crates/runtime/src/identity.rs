//! Who calls: tokens of OpenID providers and of the development key, API keys, and the tenant.

pub mod principal;

pub use principal::{Principal, Role, Who};
