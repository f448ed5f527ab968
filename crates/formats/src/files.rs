//! Everything that stands under `architecture/`.

use crate::{adr, asyncapi, document, event_schema, machine, openapi, sql};
use ir::architecture::Architecture;
use ir::model::Proof;
use ir::schema::Table;

/// Gives every file of an architecture, path below `architecture/` and text, as soon as it is
/// written. The same architecture gives the same bytes, in no order and from two threads: a
/// thousand resources make a hundred megabytes, the OpenAPI document nearly half of them, and who
/// puts them on a disk need not hold them all.
pub fn write_architecture(architecture: &Architecture, put: &(dyn Fn(String, String) + Sync)) {
    std::thread::scope(|scope| {
        scope.spawn(|| put("contracts/openapi.yaml".to_owned(), openapi::write(architecture)));
        put("ARCHITECTURE.md".to_owned(), document::write(architecture));
        put("architecture.json".to_owned(), machine::write(architecture));
        events(architecture).into_iter().for_each(|(name, text)| put(name, text));
        records(architecture).into_iter().for_each(|(name, text)| put(name, text));
        schemas(architecture).into_iter().for_each(|(name, text)| put(name, text));
    });
}

fn events(architecture: &Architecture) -> Vec<(String, String)> {
    let whole = asyncapi::write(architecture).into_iter();
    let whole = whole.map(|text| ("contracts/asyncapi.yaml".to_owned(), text));
    let each = event_schema::write(architecture).into_iter();
    whole.chain(each.map(|(name, text)| (format!("contracts/events/{name}"), text))).collect()
}

fn records(architecture: &Architecture) -> Vec<(String, String)> {
    let records = adr::write(architecture).into_iter();
    records.map(|(name, text)| (format!("decisions/{name}"), text)).collect()
}

fn schemas(architecture: &Architecture) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for service in &architecture.services {
        let holds = |table: &Table| service.contexts.contains(&table.context);
        let name = &service.name;
        let sqlite = sql::write_sqlite(&architecture.schema, &holds);
        files.push((format!("schema/{name}.sqlite.sql"), sqlite));
        let postgresql = sql::write_postgresql(&architecture.schema, &holds);
        files.push((format!("schema/{name}.postgresql.sql"), postgresql));
    }
    if architecture.domain.actors.iter().any(|actor| actor.proof == Proof::ApiKey) {
        files.push(("schema/_keys.sqlite.sql".to_owned(), sql::write_sqlite_keys()));
    }
    files
}
