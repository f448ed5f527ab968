//! Arguments of `migrate`.

use super::{DataPath, DatabaseUrl, ModelPath, Output};
use clap::{Args, Subcommand};

/// What to do about tables that are not those of the model.
#[derive(Debug, Subcommand)]
pub(crate) enum Migrate {
    /// Write the steps from the data to the model as numbered SQL, to be reviewed
    ///
    /// The data is only read, also while a backend serves it.
    Plan(Way),
    /// Carry the steps out; what was broken off goes on
    ///
    /// On SQLite all of them: no process uses the data meanwhile. On PostgreSQL those that
    /// processes of the former model do not notice (`expand`); the database then serves both
    /// models, so that new processes start beside old ones. When the last old process has ended,
    /// `--contract` goes the rest of the way.
    Apply(Apply),
    /// Take the last step back, where that is possible
    ///
    /// Steps of `expand` can be taken back, the last one first; on PostgreSQL end the processes of
    /// the new model before.
    Undo(Data),
}

impl Migrate {
    /// How the result is printed.
    pub(crate) fn format(&self) -> super::Format {
        match self {
            Self::Plan(way) => way.data.output.format,
            Self::Apply(apply) => apply.way.data.output.format,
            Self::Undo(data) => data.output.format,
        }
    }
}

/// Arguments of `migrate plan` and `migrate apply`.
#[derive(Debug, Args)]
pub(crate) struct Way {
    #[command(flatten)]
    pub(crate) data: Data,
    /// Column or table whose values may be lost, as `context.table.column`; may be given several
    /// times
    #[arg(
        long,
        value_name = "NAME",
        value_delimiter = ',',
        env = "MAINSTAY_ALLOW_DESTROY",
        hide_env_values = true
    )]
    pub(crate) allow_destroy: Vec<String>,
}

/// Arguments of `migrate apply`.
#[derive(Debug, Args)]
pub(crate) struct Apply {
    #[command(flatten)]
    pub(crate) way: Way,
    /// No process of the former model runs any more: go the whole way, and serve the model alone
    #[arg(long)]
    pub(crate) contract: bool,
}

/// Which data.
#[derive(Debug, Args)]
pub(crate) struct Data {
    #[command(flatten)]
    pub(crate) model: ModelPath,
    #[command(flatten)]
    pub(crate) data: DataPath,
    #[command(flatten)]
    pub(crate) database: DatabaseUrl,
    #[command(flatten)]
    pub(crate) output: Output,
}
