//! REST through the service trait, on a real store: what a client sees.

mod access;
mod basics;
mod batch;
mod cached;
mod children;
mod conditional;
mod events;
mod keys;
mod lists;
mod races;
mod relations;
mod swaps;
mod values;
mod world;
