//! Arguments of the verbs that take data out of stores and put it into them.

use super::{DataPath, DatabaseUrl, ModelPath, Output};
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Arguments of `backup`.
#[derive(Debug, Args)]
#[command(after_help = "\
On SQLite the files are copied as they are. `--rows`, `--tenant` and a database on PostgreSQL give
the rows instead: `manifest.json` and a file of JSON lines a table, compressed with zstd, from one
snapshot (a file or a database of a tenant has one of its own). Rows go into either store.")]
pub(crate) struct Backup {
    /// Directory to write to; it must not exist yet, or be empty
    #[arg(value_name = "TO")]
    pub(crate) to: PathBuf,
    #[command(flatten)]
    pub(crate) model: ModelPath,
    /// Take the rows of this tenant alone
    #[arg(long, value_name = "NAME", env = "MAINSTAY_TENANT", hide_env_values = true)]
    pub(crate) tenant: Option<String>,
    /// Take rows of SQLite too, not files: they can be restored to PostgreSQL
    #[arg(long)]
    pub(crate) rows: bool,
    #[command(flatten)]
    pub(crate) data: DataPath,
    #[command(flatten)]
    pub(crate) database: DatabaseUrl,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Arguments of `restore`.
#[derive(Debug, Args)]
#[command(after_help = "\
A backup of one tenant puts that tenant in the place of nothing, or with `--force` of its own rows;
what tenants share must be there. On SQLite no backend may run meanwhile; on PostgreSQL none may
while everything is restored. What is broken off is served by nobody: run it again.")]
pub(crate) struct Restore {
    /// Directory that `mainstay backup` wrote
    #[arg(value_name = "FROM")]
    pub(crate) from: PathBuf,
    #[command(flatten)]
    pub(crate) model: ModelPath,
    /// Replace data that is there
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) data: DataPath,
    #[command(flatten)]
    pub(crate) database: DatabaseUrl,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// What to do with tenants.
#[derive(Debug, Subcommand)]
pub(crate) enum Tenant {
    /// Make a tenant's place before its first write, where each has one of its own
    Add(OfTenant),
    /// List the tenants that have rows or a place
    List(Place),
    /// Write everything of a tenant to a directory, also while a backend runs
    Export(ExportTenant),
    /// Remove everything of a tenant: rows, answers, events, keys, its file, schema or database
    Erase(EraseTenant),
}

impl Tenant {
    /// How the result is printed.
    pub(crate) fn format(&self) -> super::Format {
        match self {
            Self::Add(args) => args.place.output.format,
            Self::List(place) => place.output.format,
            Self::Export(args) => args.of.place.output.format,
            Self::Erase(args) => args.of.place.output.format,
        }
    }
}

/// Which data.
#[derive(Debug, Args)]
pub(crate) struct Place {
    #[command(flatten)]
    pub(crate) model: ModelPath,
    #[command(flatten)]
    pub(crate) data: DataPath,
    #[command(flatten)]
    pub(crate) database: DatabaseUrl,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Which tenant.
#[derive(Debug, Args)]
pub(crate) struct OfTenant {
    /// Name of the tenant
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// Arguments of `tenant export`.
#[derive(Debug, Args)]
pub(crate) struct ExportTenant {
    #[command(flatten)]
    pub(crate) of: OfTenant,
    /// Directory to write to; it must not exist yet, or be empty
    #[arg(long, value_name = "DIR", env = "MAINSTAY_TO", hide_env_values = true)]
    pub(crate) to: PathBuf,
}

/// Arguments of `tenant erase`.
#[derive(Debug, Args)]
#[command(after_help = "\
On SQLite no backend may run meanwhile. On PostgreSQL one may where tenants share tables; where each
has a schema or database of its own none may, for it would go on with a place that is gone. A token
that is still good can write rows of the tenant again. Backups keep what they hold.")]
pub(crate) struct EraseTenant {
    #[command(flatten)]
    pub(crate) of: OfTenant,
    /// Yes, erase it: there is no way back
    #[arg(long)]
    pub(crate) yes: bool,
}

/// Arguments of `erase`.
#[derive(Debug, Args)]
#[command(after_help = "\
A row is of a subject where a field of an actor's type holds it; so are all children of the row. Of
it, what is declared `personal` or copied from that becomes null, where it may be; else a
replacement: `erased`, `erased@invalid`, `https://invalid/`, 0, 1970-01-01, false, the first of an
enum, or something of the row's id where it is unique. A field of an actor becomes `erased-<id>`
where it is personal, else it stays, as a pseudonym; so does the subject in the audit trail, which
can't forget and holds nothing else of a person. Kept answers that name such a row and personal
members of its events go. Names of staff are subjects too: `--actor` erases only rows that name the
subject as that actor. On SQLite no backend may run meanwhile; on PostgreSQL one may, and its server
cleans its files in its own time. A token that is still good can write again. Backups keep what they
hold. What is broken off is run again and goes on.")]
pub(crate) struct Erase {
    /// The subject, as fields of an actor hold it
    #[arg(value_name = "SUBJECT")]
    pub(crate) subject: String,
    #[command(flatten)]
    pub(crate) place: Place,
    /// Only rows of this tenant [default: of every tenant, and what tenants share]
    #[arg(long, value_name = "NAME", env = "MAINSTAY_TENANT", hide_env_values = true)]
    pub(crate) tenant: Option<String>,
    /// Only rows that name the subject as this actor
    #[arg(long, value_name = "NAME", env = "MAINSTAY_ACTOR", hide_env_values = true)]
    pub(crate) actor: Option<String>,
    /// Count the rows and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Yes, erase them: there is no way back
    #[arg(long)]
    pub(crate) yes: bool,
}

/// Arguments of `move`.
#[derive(Debug, Args)]
#[command(after_help = "\
The rows are read from one snapshot, written, and read again there before anything may serve them;
the tables are printed with their rows and a digest that is equal on both sides. The directory they
came from then says where they are, and no backend opens it.

From a directory to PostgreSQL a backend may serve meanwhile: it follows what changes, lets requests
wait for a moment at the end (5 s at the most), and goes on from there. Ctrl-C before that gives it
up. Start it with `--database` and the same `--data` the next time. For every other way no backend
may run on either place.

Where the model has another tenancy by now than its data, name the one of the data with
`--from-tenancy`.")]
pub(crate) struct Move {
    #[command(flatten)]
    pub(crate) model: ModelPath,
    /// `postgres://user@host:5432/name`, or a directory for SQLite
    #[arg(long, value_name = "URL|DIR", env = "MAINSTAY_MOVE_TO", hide_env_values = true)]
    pub(crate) to: String,
    /// How tenants are kept apart where the data is now [default: as in the model]
    #[arg(long, value_enum, env = "MAINSTAY_FROM_TENANCY", hide_env_values = true)]
    pub(crate) from_tenancy: Option<Apart>,
    /// Replace data that is at the target
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) data: DataPath,
    #[command(flatten)]
    pub(crate) database: DatabaseUrl,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// How tenants are kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Apart {
    /// By a column of shared tables
    Row,
    /// A schema each; on SQLite a file
    Schema,
    /// A database each; on SQLite a file
    Database,
}
