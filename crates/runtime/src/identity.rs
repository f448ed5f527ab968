//! Who calls: tokens of OpenID providers and of the development key, API keys, and the tenant.
//!
//! [`Authenticator`] turns a request's credential into a [`Principal`]; [`tenant::resolve`] says
//! which tenant the request is for. What the caller may do is decided elsewhere.

mod actors;
pub mod api_key;
mod authenticator;
mod cache;
pub mod development;
pub mod issuer;
pub mod jwk;
pub mod principal;
pub mod tenant;
pub mod token;

pub use authenticator::{Authenticator, IdentityConfig};
pub use development::DevelopmentKey;
pub use issuer::IssuerConfig;
pub use principal::{Principal, Role, Who};

#[cfg(test)]
mod tests;
