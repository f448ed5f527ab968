//! The `mainstay` command: the only crate that prints, parses arguments and exits.

mod arguments;
mod cli;
mod commands;
mod environment;
mod failure;
mod model_files;
mod pipeline;
mod published;
mod render;
mod seed;
mod site;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    // One crypto library for everything that speaks TLS; nothing else has installed one before.
    rustls::crypto::ring::default_provider()
        .install_default()
        .expect("the first thing the process does is to choose its crypto library");
    cli::run()
}
