//! Mainstay beside a hand-written server: one command measures both on the same rows by the same
//! requests, and prints how far the one is from the other. `benches/README.md` says more.

mod agree;
mod arguments;
mod cases;
mod data;
mod events;
mod instructions;
mod load;
mod measure;
mod process;
mod reference;
mod table;

use arguments::{Arguments, Verb};
use clap::Parser;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.verb {
        None => measure::run(&arguments.measure),
        Some(Verb::Reference(reference)) => reference::serve(reference).map(|()| true),
        Some(Verb::Instructions(counted)) => instructions::run(counted),
        Some(Verb::Events(followed)) => events::run(followed),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(why) => {
            table::progress(&format!("error: {why}"));
            ExitCode::from(2)
        }
    }
}
