//! The house and the running binary, from outside: one test binary for all of it.

mod cli;
mod floors;
mod harness;
mod house;
mod tidy;
