//! The command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Measures Mainstay beside a hand-written server
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    /// What to do instead of measuring.
    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,
    /// How to measure.
    #[command(flatten)]
    pub(crate) measure: Measure,
}

/// What else there is.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Serve as the hand-written server
    Reference(Reference),
    /// Count the instructions of check, design and start-up against the committed baseline
    Instructions(Counted),
    /// Measure what follows from writes: delay, events a second, cost of the outbox
    Events(Followed),
}

/// Form of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// How to measure.
#[derive(Debug, Args)]
pub(crate) struct Measure {
    /// Mainstay's binary [default: the one beside this program]
    #[arg(long, value_name = "PATH")]
    pub(crate) mainstay: Option<PathBuf>,
    /// PostgreSQL to measure on as well: a superuser's URL; databases are made and dropped
    #[arg(long, value_name = "URL")]
    pub(crate) database: Option<String>,
    /// Leave SQLite out
    #[arg(long, requires = "database")]
    pub(crate) no_sqlite: bool,
    /// Cases to measure, by name, with commas [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) cases: Vec<String>,
    /// Rounds of each case and server, in turn; the median counts
    #[arg(long, default_value_t = 3)]
    pub(crate) rounds: usize,
    /// Seconds of a round
    #[arg(long, default_value_t = 5)]
    pub(crate) seconds: u32,
    /// Connections of the load
    #[arg(long, default_value_t = 32)]
    pub(crate) connections: u32,
    /// Orders in the store at the start, of five lines each
    #[arg(long, default_value_t = 100_000)]
    pub(crate) orders: u32,
    /// What rows and requests are drawn by
    #[arg(long, default_value_t = 7)]
    pub(crate) seed: u64,
    /// Directory for the databases, removed at the end [default: in the system's own for such]
    #[arg(long, value_name = "DIR")]
    pub(crate) scratch: Option<PathBuf>,
    /// Let the reference neither trace nor log requests, which Mainstay always does
    #[arg(long)]
    pub(crate) bare: bool,
    /// Bytes of a SQLite file that the reference's readers map into memory
    #[arg(long, default_value_t = 0)]
    pub(crate) map_bytes: u64,
    /// Only compare the answers
    #[arg(long)]
    pub(crate) agree: bool,
    /// Keep databases and servers until the standard input ends, to look at them
    #[arg(long)]
    pub(crate) hold: bool,
    /// Form of the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// How the hand-written server serves.
#[derive(Debug, Args)]
pub(crate) struct Reference {
    /// Mainstay's data directory, or a copy of it
    #[arg(long)]
    pub(crate) data: PathBuf,
    /// Where to listen
    #[arg(long)]
    pub(crate) listen: SocketAddr,
    /// PostgreSQL instead of SQLite
    #[arg(long)]
    pub(crate) database: Option<String>,
    /// Trace and log each request as Mainstay does
    #[arg(long)]
    pub(crate) observed: bool,
    /// Bytes of a SQLite file that readers map into memory
    #[arg(long, default_value_t = 0)]
    pub(crate) map_bytes: u64,
}

/// What instructions are counted of.
#[derive(Debug, Args)]
pub(crate) struct Counted {
    /// Mainstay's binary [default: the one beside this program]
    #[arg(long, value_name = "PATH")]
    pub(crate) mainstay: Option<PathBuf>,
    /// Contexts of the large model, of ten resources each
    #[arg(long, default_value_t = 100)]
    pub(crate) contexts: u32,
    /// Write the baseline anew
    #[arg(long)]
    pub(crate) update: bool,
}

/// How what follows from writes is measured.
#[derive(Debug, Args)]
pub(crate) struct Followed {
    /// Mainstay's binary [default: the one beside this program]
    #[arg(long, value_name = "PATH")]
    pub(crate) mainstay: Option<PathBuf>,
    /// PostgreSQL to measure on as well: a superuser's URL; databases are made and dropped
    #[arg(long, value_name = "URL")]
    pub(crate) database: Option<String>,
    /// Brokers to measure as well, on SQLite: URLs as `mainstay up --broker` takes them; topics
    /// named `bench…` stay there
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    pub(crate) broker: Vec<String>,
    /// Writes, one at a time, whose effects are waited for
    #[arg(long, default_value_t = 200)]
    pub(crate) writes: u32,
    /// Rounds of each model, in turn; the median counts
    #[arg(long, default_value_t = 3)]
    pub(crate) rounds: usize,
    /// Seconds of a round
    #[arg(long, default_value_t = 3)]
    pub(crate) seconds: u32,
    /// Connections of the load
    #[arg(long, default_value_t = 32)]
    pub(crate) connections: u32,
    /// Directory for the databases, removed at the end [default: in the system's own for such]
    #[arg(long, value_name = "DIR")]
    pub(crate) scratch: Option<PathBuf>,
}
