//! The house and the running binary, from outside: one test binary for all of it.

mod audit;
mod brokers;
mod cache;
mod cli;
mod clinic;
#[cfg(unix)]
mod cluster;
mod connections;
mod crash;
mod database;
mod directories;
mod erasure;
mod event_versions;
mod events;
mod events_verbs;
mod floors;
#[cfg(target_os = "linux")]
mod full;
mod fuzz;
mod golden;
mod harness;
mod house;
mod integrations;
mod jobs;
mod leaving;
mod links;
mod live;
mod living;
mod migrate;
mod migrations;
#[cfg(unix)]
mod misfortunes;
#[cfg(unix)]
mod moving;
mod old_server;
mod operations;
mod postgresql;
mod published;
mod races;
mod receiver;
mod references;
#[cfg(unix)]
mod replicas;
mod requests;
mod scenes;
mod schedules;
mod schema;
mod seeds;
mod sharing;
mod shop;
mod swaps;
mod tables;
mod tenants;
mod tidy;
mod tour;
mod transfers;
mod unmanaged;
mod webhooks;
mod webhooks_in;
mod windows;
