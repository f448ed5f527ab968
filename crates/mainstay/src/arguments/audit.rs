//! Arguments of `audit`.

use super::{DataPath, DatabaseUrl, ModelPath, Output};
use clap::{Args, Subcommand};
use runtime::ports::audit::Head;

/// What to do with the audit trail.
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Walk along every chain of entries: unbroken, or where it breaks (exit code 1)
    Verify(Verify),
}

/// How heads are used.
const HEADS: &str = "\
The head of each chain is printed as `CHAIN:NUMBER:HASH`; the chain is the tenant, and has no name
where tenants share it. Kept outside of the database and given as `--head` later, it shows that the
end of the chain was not cut off since. It works also while a backend runs.";

/// Arguments of `audit verify`.
#[derive(Debug, Args)]
#[command(after_help = HEADS)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub(crate) model: ModelPath,
    /// Head of a chain as it was printed before; may be given several times
    #[arg(
        long = "head",
        value_name = "CHAIN:NUMBER:HASH",
        env = "MAINSTAY_AUDIT_HEAD",
        hide_env_values = true,
        value_delimiter = ',',
        value_parser = head
    )]
    pub(crate) heads: Vec<Head>,
    #[command(flatten)]
    pub(crate) data: DataPath,
    #[command(flatten)]
    pub(crate) database: DatabaseUrl,
    #[command(flatten)]
    pub(crate) output: Output,
}

fn head(text: &str) -> Result<Head, String> {
    let shown = "it looks like `acme:12:` and 64 hexadecimal digits";
    Head::parse(text).ok_or_else(|| format!("it is not the head of a chain: {shown}"))
}
