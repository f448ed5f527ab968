//! The house and the running binary, from outside: one test binary for all of it.

mod floors;
mod house;
mod tidy;
