//! The arguments of every verb; their docs are the help texts that a user reads.

pub(crate) mod audit;
pub(crate) mod events;
pub(crate) mod keys;
pub(crate) mod migrate;
pub(crate) mod transfer;
pub(crate) mod up;

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// A backend architect: a requirements file becomes an architecture that is read and run.
#[derive(Debug, Parser)]
#[command(name = "mainstay", version, max_term_width = 100, after_help = AFTER)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

const AFTER: &str = "\
PATH is a model file, or a directory that holds `mainstay.yaml`; the current one where none is
given. Data goes to stdout, everything else to stderr. Exit codes: 0 fine, 1 the answer is no,
2 could not run. Colour is used on terminals only, and never where NO_COLOR is set.";

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Find every fault of a model at once
    Check(Check),
    /// Decide the architecture and write it to `architecture/`
    Design(Design),
    /// Say what a code or a topic means, or what was decided about a part of the model
    Explain(Explain),
    /// Rewrite the files of a model in their short form; comments stay
    Fmt(Fmt),
    /// Run the model as a backend
    Up(Box<up::Up>),
    /// Print a token of the development key
    Token(Token),
    /// Make, list and revoke API keys
    #[command(subcommand)]
    Key(keys::Key),
    /// Prove that the audit trail is whole
    #[command(subcommand)]
    Audit(audit::Audit),
    /// List what happened, as CloudEvents, and follow it
    Events(events::Events),
    /// List, show, redrive and discard events that consumers gave up
    #[command(subcommand)]
    DeadLetters(events::DeadLetters),
    /// List views, and make one anew from the log
    #[command(subcommand)]
    Views(events::Views),
    /// Let the tables of the data follow the model
    #[command(subcommand)]
    Migrate(migrate::Migrate),
    /// Copy the data to a directory, also while the backend runs
    Backup(transfer::Backup),
    /// Put a backup in the place of the data
    Restore(transfer::Restore),
    /// Add, list, export and erase tenants
    #[command(subcommand)]
    Tenant(transfer::Tenant),
    /// Erase the personal fields of the rows that name one subject
    Erase(transfer::Erase),
    /// Take the data to another store or to another tenancy, with a proof of equal rows
    Move(transfer::Move),
    /// Print one contract, schema or diagram
    Export(Export),
}

/// Which model.
#[derive(Debug, Args)]
pub(crate) struct ModelPath {
    /// Model file, or directory that holds `mainstay.yaml`
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
    /// Environment: `mainstay.<ENV>.yaml` beside the model is read over it
    #[arg(long, value_name = "ENV", env = "MAINSTAY_ENV", hide_env_values = true)]
    pub(crate) env: Option<String>,
}

/// How a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

/// How a result is printed.
#[derive(Debug, Args)]
pub(crate) struct Output {
    /// How the result is printed
    #[arg(
        long,
        value_enum,
        default_value = "text",
        env = "MAINSTAY_FORMAT",
        hide_env_values = true
    )]
    pub(crate) format: Format,
}

/// Which published events may change as their consumers can't bear.
#[derive(Debug, Args)]
pub(crate) struct Breaking {
    /// Published event that may break who reads it (`order.paid`); may be given several times
    #[arg(
        long = "allow-breaking",
        value_name = "EVENT",
        value_delimiter = ',',
        env = "MAINSTAY_ALLOW_BREAKING",
        hide_env_values = true
    )]
    pub(crate) events: Vec<String>,
}

/// Which files are read.
const FILES: &str = "\
Of a directory, `mainstay.yaml` is read, and every other `*.yaml` below it whose top is a mapping
with a key of the notation (`system`, `goals`, `contexts`, …) and none of another format
(`apiVersion`, `openapi`, `asyncapi`, `swagger`). The rest is passed over and named; hidden entries,
`architecture/`, `seed/`, `target/`, `node_modules/` and what `design` wrote are not looked at.
`mainstay.<ENV>.yaml` beside `mainstay.yaml` is an environment.";

/// Arguments of `check`.
#[derive(Debug, Args)]
#[command(after_help = FILES)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) model: ModelPath,
    #[command(flatten)]
    pub(crate) breaking: Breaking,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Arguments of `design`.
#[derive(Debug, Args)]
pub(crate) struct Design {
    #[command(flatten)]
    pub(crate) model: ModelPath,
    /// Where to write [default: `architecture/` beside the model]
    #[arg(long, value_name = "DIR", env = "MAINSTAY_OUT", hide_env_values = true)]
    pub(crate) out: Option<PathBuf>,
    /// Price list of your own, in the form of the built-in one, which stands for what it leaves out
    #[arg(long, value_name = "FILE", env = "MAINSTAY_PRICES", hide_env_values = true)]
    pub(crate) prices: Option<PathBuf>,
    /// Write nothing; exit with 1 where the files there are not what would be written
    #[arg(long)]
    pub(crate) check: bool,
    /// Replace files that are there and were not written by `design`
    #[arg(long, conflicts_with = "check")]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) breaking: Breaking,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// A code (`E012`, `D003`), a topic of the notation (`types`, `functions`), or a part of the
    /// model (`ordering.Order`, `goals.peak`) [default: all codes and topics]
    #[arg(value_name = "CODE|TOPIC|PART")]
    pub(crate) what: Option<String>,
    /// The model that the part is of
    #[arg(value_name = "PATH", default_value = ".")]
    pub(crate) path: PathBuf,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Arguments of `fmt`.
#[derive(Debug, Args)]
#[command(after_help = FILES)]
pub(crate) struct Fmt {
    /// Model files, or directories of a model: its files are rewritten in place, no others
    #[arg(value_name = "PATH", default_value = ".")]
    pub(crate) paths: Vec<PathBuf>,
    /// Write nothing; exit with 1 where a file is not in the short form
    #[arg(long)]
    pub(crate) check: bool,
    /// Read a file from stdin and print it formatted
    #[arg(long, conflicts_with_all = ["check", "paths"])]
    pub(crate) stdin: bool,
}

/// Arguments of `token`.
#[derive(Debug, Args)]
pub(crate) struct Token {
    #[command(flatten)]
    pub(crate) model: ModelPath,
    /// Actor of the model that the token is for, or `system`
    #[arg(long, env = "MAINSTAY_TOKEN_ACTOR", hide_env_values = true)]
    pub(crate) actor: String,
    /// Role of the actor; may be given several times
    #[arg(long = "role", value_name = "ROLE", env = "MAINSTAY_TOKEN_ROLE", hide_env_values = true)]
    pub(crate) roles: Vec<String>,
    /// Tenant that the token acts in, where the model has tenants
    #[arg(long, env = "MAINSTAY_TOKEN_TENANT", hide_env_values = true)]
    pub(crate) tenant: Option<String>,
    /// Who the caller is: what `me` compares with [default: the actor's name]
    #[arg(long, env = "MAINSTAY_TOKEN_SUBJECT", hide_env_values = true)]
    pub(crate) subject: Option<String>,
    /// Seconds until the token expires [default: what the design decided]
    #[arg(
        long,
        value_name = "SECONDS",
        env = "MAINSTAY_TOKEN_LIFETIME",
        hide_env_values = true,
        value_parser = clap::value_parser!(u32).range(1..=31_536_000)
    )]
    pub(crate) lifetime: Option<u32>,
    #[command(flatten)]
    pub(crate) data: DataPath,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Where the data is.
#[derive(Debug, Args)]
pub(crate) struct DataPath {
    /// Directory of databases and development key [default: `.mainstay/` beside the model]
    #[arg(long, value_name = "DIR", env = "MAINSTAY_DATA", hide_env_values = true)]
    pub(crate) data: Option<PathBuf>,
}

impl DataPath {
    /// The directory, for a model that stands at `home`.
    pub(crate) fn of(&self, home: &std::path::Path) -> PathBuf {
        self.data.clone().unwrap_or_else(|| home.join(".mainstay"))
    }
}

/// A database beside the process.
#[derive(Debug, Args)]
pub(crate) struct DatabaseUrl {
    /// PostgreSQL that holds rows and keys, as `postgres://user@host:5432/name?sslmode=require`; a
    /// password is best given in the variable [default: SQLite in the data directory]
    #[arg(long, value_name = "URL", env = "MAINSTAY_DATABASE_URL", hide_env_values = true)]
    pub(crate) database: Option<String>,
}

/// A broker beside the process.
#[derive(Debug, Args)]
pub(crate) struct BrokerUrl {
    /// Broker that events go to and that reactions hear them from, as `nats://user@host:4222`,
    /// `amqp://host:5672` or `redis://host:6379`; with `?prefix=NAME` several systems of one name
    /// share it; a password is best given in the variable [default: the log of events in the
    /// database]
    #[arg(long, value_name = "URL", env = "MAINSTAY_BROKER_URL", hide_env_values = true)]
    pub(crate) broker: Option<String>,
}

/// Arguments of `export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// What to print
    #[arg(value_enum, value_name = "FORMAT")]
    pub(crate) format: ExportFormat,
    #[command(flatten)]
    pub(crate) model: ModelPath,
}

/// What `export` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// The API contract, OpenAPI 3.1 as YAML
    Openapi,
    /// The API contract, OpenAPI 3.1 as JSON
    OpenapiJson,
    /// The contract of events, AsyncAPI 3.0 as YAML
    Asyncapi,
    /// The schema as SQLite's DDL
    Sqlite,
    /// The schema as PostgreSQL's DDL
    Postgresql,
    /// The rules of access as Cedar policies
    Cedar,
    /// The Cedar schema that the policies are strict against
    CedarSchema,
    /// The diagrams, as Mermaid in Markdown
    Mermaid,
    /// The JSON Schema of the notation, for editors (of no model)
    JsonSchema,
    /// The whole architecture as JSON
    Architecture,
}
