//! Arguments of the verbs over what events leave behind.

use super::transfer::Place;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// What to do with dead letters.
#[derive(Debug, Subcommand)]
#[command(after_help = BESIDE)]
pub(crate) enum DeadLetters {
    /// List the events that consumers gave up, without their data
    List(ListLetters),
    /// Show a dead letter whole: every error that is kept, and the event with its data
    Show(ShowLetter),
    /// Let dead letters be tried again from the beginning, with other data if need be
    Redrive(Redrive),
    /// Give a dead letter up for good: what waits behind it goes on without it
    Discard(OfLetter),
}

const BESIDE: &str = "\
It works on the store itself, also while a backend runs: that one finds what was done within some
seconds. An ID is `<event>:<consumer>`, as lists and `/v1/dead-letters` show it.";

impl DeadLetters {
    /// How the result is printed.
    pub(crate) fn format(&self) -> super::Format {
        match self {
            Self::List(args) => args.place.output.format,
            Self::Show(args) => args.of.place.output.format,
            Self::Redrive(args) => args.place.output.format,
            Self::Discard(args) => args.place.output.format,
        }
    }
}

/// Arguments of `dead-letters list`.
#[derive(Debug, Args)]
pub(crate) struct ListLetters {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Only of this tenant [default: of all]
    #[arg(long, value_name = "NAME", env = "MAINSTAY_TENANT", hide_env_values = true)]
    pub(crate) tenant: Option<String>,
    /// Only what this consumer gave up: the name of a context
    #[arg(long, value_name = "NAME", env = "MAINSTAY_CONSUMER", hide_env_values = true)]
    pub(crate) consumer: Option<String>,
    /// Dead letters at most, those that were given up first
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1_000,
        env = "MAINSTAY_LIMIT",
        hide_env_values = true,
        value_parser = clap::value_parser!(u32).range(1..=100_000)
    )]
    pub(crate) limit: u32,
}

/// Which dead letter.
#[derive(Debug, Args)]
pub(crate) struct OfLetter {
    /// The dead letter, as `dead-letters list` shows it
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// Arguments of `dead-letters show`.
#[derive(Debug, Args)]
#[command(after_help = "\
The event is printed as the API shows it to the system: with all of its data, personal data too.
Mind where the output goes.")]
pub(crate) struct ShowLetter {
    #[command(flatten)]
    pub(crate) of: OfLetter,
}

/// Arguments of `dead-letters redrive`.
#[derive(Debug, Args)]
#[command(after_help = "\
Either ID or `--all` is given. What is tried again begins with its first attempt; what fails again
is a dead letter again, with all errors.")]
pub(crate) struct Redrive {
    /// The dead letter, as `dead-letters list` shows it; none with `--all`
    #[arg(value_name = "ID", required_unless_present = "all")]
    pub(crate) id: Option<String>,
    #[command(flatten)]
    pub(crate) place: Place,
    /// All dead letters, or all of `--consumer` and `--tenant`
    #[arg(long, conflicts_with = "event_data")]
    pub(crate) all: bool,
    /// With `--all`: only of this tenant
    #[arg(
        long,
        value_name = "NAME",
        env = "MAINSTAY_TENANT",
        hide_env_values = true,
        requires = "all"
    )]
    pub(crate) tenant: Option<String>,
    /// With `--all`: only what this consumer gave up, the name of a context
    #[arg(
        long,
        value_name = "NAME",
        env = "MAINSTAY_CONSUMER",
        hide_env_values = true,
        requires = "all"
    )]
    pub(crate) consumer: Option<String>,
    /// File with a JSON object that takes the place of the event's `data`
    #[arg(long, value_name = "FILE", env = "MAINSTAY_EVENT_DATA", hide_env_values = true)]
    pub(crate) event_data: Option<PathBuf>,
}

/// Arguments of `events`.
#[derive(Debug, Args)]
#[command(after_help = "\
Oldest first, one line each: time, type, subject, tenant and id. With `--format json` a line is the
whole event (CloudEvents 1.0.2), with all of its data, personal data too. It reads beside a backend
that runs and changes nothing.")]
pub(crate) struct Events {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Only of this tenant [default: of all]
    #[arg(long, value_name = "NAME", env = "MAINSTAY_TENANT", hide_env_values = true)]
    pub(crate) tenant: Option<String>,
    /// Only of this type, as `order.paid` or `order.paid.v1`; may be given several times
    #[arg(long = "type", value_name = "TYPE", env = "MAINSTAY_TYPE", hide_env_values = true)]
    pub(crate) types: Vec<String>,
    /// Only what happened since an instant (`2026-01-31T12:00:00Z`) or for so long (`90s`, `15m`,
    /// `2h`, `7d`)
    #[arg(long, value_name = "TIME", env = "MAINSTAY_SINCE", hide_env_values = true)]
    pub(crate) since: Option<String>,
    /// Events at most; `--follow` ends there too [default: all]
    #[arg(
        long,
        value_name = "N",
        env = "MAINSTAY_LIMIT",
        hide_env_values = true,
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    pub(crate) limit: Option<u64>,
    /// Go on with what happens next, looked for every second, until Ctrl-C
    #[arg(long)]
    pub(crate) follow: bool,
}

/// What to do with views.
#[derive(Debug, Subcommand)]
pub(crate) enum Views {
    /// List the views: how far each is in the log, how far behind its end, its rows
    List(Place),
    /// Make the rows of a view anew from the log
    Rebuild(Rebuild),
}

impl Views {
    /// How the result is printed.
    pub(crate) fn format(&self) -> super::Format {
        match self {
            Self::List(place) => place.output.format,
            Self::Rebuild(args) => args.place.output.format,
        }
    }
}

/// Arguments of `views rebuild`.
#[derive(Debug, Args)]
#[command(after_help = "\
Tenant by tenant, all events are folded into new rows, which take the place of the old ones at once:
until then the old ones are read. A row that comes out as it was keeps its version. 1,000,000 rows
of a tenant are the most. On PostgreSQL a backend may run meanwhile, and what it folds is not lost;
on SQLite none may.")]
pub(crate) struct Rebuild {
    /// The view, as `ordering.SalesByDay` or by its own name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) place: Place,
    /// Also where the log was trimmed and events of the view may have gone: the rows then say what
    /// the rest says
    #[arg(long)]
    pub(crate) from_what_is_left: bool,
}
