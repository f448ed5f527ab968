//! What models and processes are known by: in what a database notes, and in the names of
//! connections, by which whoever changes tables finds those that use them.

use crate::adapters::sql::journal::checksum;
use crate::ports::clock::{Randomness, SystemRandomness};
use ir::migration::Snapshot;
use ir::schema::Schema;
use std::sync::OnceLock;

/// Letters of what a model and a process are known by, in the names of connections.
pub(super) const PRESENCE: (usize, usize) = (12, 8);

/// What the tables of a service are known by.
pub(super) fn fingerprint(schema: &Schema, contexts: &[String]) -> String {
    let tables = Snapshot::of(schema, &|table| contexts.contains(&table.context));
    checksum(&serde_json::to_string(&tables).unwrap_or_default())
}

/// How connections are called, so that others know which model is in use, and by which process.
pub(super) fn presence(fingerprint: &str, service: &str) -> String {
    format!("mainstay {} {} {service}", &fingerprint[..PRESENCE.0], process())
}

/// What this process is known by among those on any machine.
pub(super) fn process() -> &'static str {
    static DRAWN: OnceLock<String> = OnceLock::new();
    DRAWN.get_or_init(|| {
        let mut drawn = [0; PRESENCE.1 / 2];
        SystemRandomness.fill(&mut drawn);
        drawn.iter().map(|byte| format!("{byte:02x}")).collect()
    })
}
