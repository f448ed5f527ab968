//! The architecture for programs: `architecture.json`.

use ir::architecture::Architecture;

/// The whole architecture as JSON, members in the order of the types.
pub fn write(architecture: &Architecture) -> String {
    let mut text =
        serde_json::to_string_pretty(architecture).expect("an architecture is plain data");
    text.push('\n');
    text
}
