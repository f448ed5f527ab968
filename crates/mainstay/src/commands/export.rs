//! `mainstay export`: one contract, schema or diagram as text.

use crate::arguments::ExportFormat;
use crate::failure::{Failure, Outcome};
use crate::pipeline;
use formats::mermaid;
use ir::architecture::Architecture;
use std::fmt::Write as _;
use std::path::Path;

/// The text of one format for the model at `path`.
pub(crate) fn export(
    format: ExportFormat,
    path: &Path,
    environment: Option<&str>,
) -> Outcome<String> {
    if format == ExportFormat::JsonSchema {
        return Ok(formats::requirements::json_schema());
    }
    let architecture = pipeline::design(path, environment)?.architecture;
    Ok(match format {
        ExportFormat::JsonSchema => unreachable!("answered above, of no model"),
        ExportFormat::Openapi => formats::openapi::write(&architecture),
        ExportFormat::OpenapiJson => formats::openapi::write_json(&architecture),
        ExportFormat::Asyncapi => formats::asyncapi::write(&architecture)
            .ok_or_else(|| no_event(&architecture.domain.system))?,
        ExportFormat::Sqlite => formats::sql::write_sqlite(&architecture.schema, &|_| true),
        ExportFormat::Postgresql => formats::sql::write_postgresql(&architecture.schema, &|_| true),
        ExportFormat::Cedar => formats::cedar::write(&architecture),
        ExportFormat::CedarSchema => formats::cedar::write_schema(&architecture),
        ExportFormat::Mermaid => diagrams(&architecture),
        ExportFormat::Architecture => formats::machine::write(&architecture),
    })
}

fn no_event(system: &str) -> Failure {
    Failure::new(format!("`{system}` publishes no event"))
        .hint("`emit` on a command or a resource does; see `mainstay explain events`")
}

/// Every diagram of an architecture, each under its title.
fn diagrams(architecture: &Architecture) -> String {
    let mut text = String::new();
    let mut add = |title: &str, diagram: String| {
        let _ = write!(text, "## {title}\n\n```mermaid\n{}\n```\n\n", diagram.trim_end());
    };
    add("Context", mermaid::context(architecture));
    add("Containers", mermaid::containers(architecture));
    for context in &architecture.domain.contexts {
        add(
            &format!("Entities of {}", context.name),
            mermaid::entities(architecture, &context.name),
        );
    }
    for workflow in &architecture.model.workflows {
        add(&format!("Workflow {}", workflow.name), mermaid::sequence(architecture, workflow));
    }
    for (id, field) in mermaid::with_states(&architecture.domain) {
        let title = format!("States of {}", architecture.domain.full_name(id));
        add(&title, mermaid::states(architecture, id, field));
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}
