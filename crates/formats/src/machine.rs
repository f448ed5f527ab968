//! The architecture for programs: `architecture.json`.

use ir::architecture::Architecture;

/// Bytes that a resource takes at the most in the models that were measured (its decisions, its
/// operations, its tables); room for them at once spares copies of what is written so far.
const RESOURCE_BYTES: usize = 64 * 1024;

/// The whole architecture as JSON, members in the order of the types.
pub fn write(architecture: &Architecture) -> String {
    let mut text = Vec::with_capacity(architecture.domain.resources.len() * RESOURCE_BYTES);
    serde_json::to_writer_pretty(&mut text, architecture).expect("an architecture is plain data");
    text.push(b'\n');
    text.shrink_to_fit();
    String::from_utf8(text).expect("JSON is UTF-8")
}

/// How every text of [`write`] begins.
const BEGINNING: &str = "{\n  \"model\": {\n    \"notation\": ";

/// True for a text, or its beginning, that [`write`] made.
pub fn is_written(text: &str) -> bool {
    text.starts_with(BEGINNING)
}
