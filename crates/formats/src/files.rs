//! Everything that stands under `architecture/`.

use crate::{adr, document, machine, openapi, sql};
use ir::architecture::Architecture;
use ir::schema::Table;

/// Every file of an architecture: path below `architecture/` and text. The same architecture
/// gives the same bytes.
pub fn architecture_files(architecture: &Architecture) -> Vec<(String, String)> {
    let mut files = vec![("ARCHITECTURE.md".to_owned(), document::write(architecture))];
    files.push(("architecture.json".to_owned(), machine::write(architecture)));
    files.push(("contracts/openapi.yaml".to_owned(), openapi::write(architecture)));
    let records = adr::write(architecture).into_iter();
    files.extend(records.map(|(name, text)| (format!("decisions/{name}"), text)));
    for service in &architecture.services {
        let holds = |table: &Table| service.contexts.contains(&table.context);
        let name = &service.name;
        let sqlite = sql::write_sqlite(&architecture.schema, &holds);
        files.push((format!("schema/{name}.sqlite.sql"), sqlite));
        let postgresql = sql::write_postgresql(&architecture.schema, &holds);
        files.push((format!("schema/{name}.postgresql.sql"), postgresql));
    }
    files
}
