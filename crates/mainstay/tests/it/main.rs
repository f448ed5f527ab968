//! The house and the running binary, from outside: one test binary for all of it.

mod cli;
mod clinic;
mod crash;
mod database;
mod directories;
mod floors;
#[cfg(target_os = "linux")]
mod full;
mod fuzz;
mod golden;
mod harness;
mod house;
mod links;
mod migrations;
mod postgresql;
mod races;
mod references;
mod scenes;
mod schema;
mod seeds;
mod shop;
mod tenants;
mod tidy;
mod tour;
