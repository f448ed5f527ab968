//! `mainstay export`: one contract, schema or diagram as text.

use crate::arguments::ExportFormat;
use crate::failure::{Failure, Outcome};
use crate::pipeline;
use std::path::Path;

/// The text of one format for the model at `path`.
pub(crate) fn export(
    format: ExportFormat,
    path: &Path,
    environment: Option<&str>,
) -> Outcome<String> {
    let architecture = pipeline::design(path, environment)?.architecture;
    Ok(match format {
        ExportFormat::Openapi => formats::openapi::write(&architecture),
        ExportFormat::OpenapiJson => formats::openapi::write_json(&architecture),
        ExportFormat::Sqlite => formats::sql::write_sqlite(&architecture.schema, &|_| true),
        ExportFormat::Postgresql => formats::sql::write_postgresql(&architecture.schema, &|_| true),
        ExportFormat::Cedar => formats::cedar::write(&architecture),
        ExportFormat::CedarSchema => formats::cedar::write_schema(&architecture),
        ExportFormat::Architecture => serde_json::to_string_pretty(&*architecture)
            .map(|text| text + "\n")
            .map_err(|fault| Failure::new("can't write the architecture").caused_by(fault))?,
    })
}
