//! Arguments of `migrate`.

use super::{DataPath, DatabaseUrl, ModelPath, Output};
use clap::{Args, Subcommand};

/// What to do about tables that are not those of the model.
#[derive(Debug, Subcommand)]
pub(crate) enum Migrate {
    /// Write the steps from the data to the model as numbered SQL, to be reviewed
    Plan(Way),
    /// Carry the steps out; what was broken off goes on
    Apply(Way),
    /// Take the last step back, where that is possible
    Undo(Data),
}

impl Migrate {
    /// How the result is printed.
    pub(crate) fn format(&self) -> super::Format {
        match self {
            Self::Plan(way) | Self::Apply(way) => way.data.output.format,
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
