//! Arguments of `key`.

use super::{DataPath, DatabaseUrl, ModelPath, Output};
use clap::{Args, Subcommand};

/// What to do with API keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Make a key and print it: it is shown this once, only its hash is kept
    Create(Create),
    /// List the keys, without their secrets
    List(List),
    /// Revoke a key at once
    Revoke(Revoke),
}

/// Arguments of `key create`.
#[derive(Debug, Args)]
pub(crate) struct Create {
    #[command(flatten)]
    pub(crate) model: ModelPath,
    /// Actor of the model that the key is for; it must be one with `api_key`
    #[arg(long, env = "MAINSTAY_KEY_ACTOR", hide_env_values = true)]
    pub(crate) actor: String,
    /// Role of the actor; may be given several times
    #[arg(long = "role", value_name = "ROLE", env = "MAINSTAY_KEY_ROLE", hide_env_values = true)]
    pub(crate) roles: Vec<String>,
    /// Tenant that the key acts in, where the model has tenants
    #[arg(long, env = "MAINSTAY_KEY_TENANT", hide_env_values = true)]
    pub(crate) tenant: Option<String>,
    /// What the key is for, in your words; shown in lists
    #[arg(long, default_value = "", env = "MAINSTAY_KEY_LABEL", hide_env_values = true)]
    pub(crate) label: String,
    /// Days until the key expires [default: never]
    #[arg(
        long,
        value_name = "DAYS",
        env = "MAINSTAY_KEY_EXPIRES",
        hide_env_values = true,
        value_parser = clap::value_parser!(u32).range(1..=36_500)
    )]
    pub(crate) expires: Option<u32>,
    #[command(flatten)]
    pub(crate) data: DataPath,
    #[command(flatten)]
    pub(crate) database: DatabaseUrl,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Arguments of `key list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) model: ModelPath,
    #[command(flatten)]
    pub(crate) data: DataPath,
    #[command(flatten)]
    pub(crate) database: DatabaseUrl,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Arguments of `key revoke`.
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// The key's public part, as `key list` shows it
    #[arg(value_name = "PREFIX")]
    pub(crate) prefix: String,
    #[command(flatten)]
    pub(crate) model: ModelPath,
    #[command(flatten)]
    pub(crate) data: DataPath,
    #[command(flatten)]
    pub(crate) database: DatabaseUrl,
    #[command(flatten)]
    pub(crate) output: Output,
}
