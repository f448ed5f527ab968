//! REST through the service trait, on a real store.
