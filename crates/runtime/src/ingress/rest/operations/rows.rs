//! The rows of an import as they came: taken apart, and kept in pieces.

use crate::engine::Failure;
use crate::operate::{ATOMIC_ROWS_MAX, IMPORT_BATCH_ROWS_MAX, IMPORT_ROWS_MAX, keep_row, sheet};
use crate::plan::Plan;
use crate::ports::operations::{Chunk, Operation, Part};
use crate::problem::{Problem, kinds};
use ir::domain::ResourceId;

/// Bytes of a piece of what came, unless its one row is longer.
const CHUNK_BYTES_MAX: usize = 256 << 10;

/// Rows that came, with the number of the line that each stood in.
pub(super) type Rows = Vec<(u64, String)>;

/// Rows of values between commas.
pub(super) fn sheet(plan: &Plan, resource: ResourceId, body: &[u8]) -> Result<Rows, Failure> {
    let text = text_of(body)?;
    let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(text.as_bytes());
    let malformed = |error: &csv::Error| {
        let at = error.position().map_or(1, csv::Position::line);
        let detail = match error.kind() {
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                format!("line {at} has {len} values, the header {expected_len}")
            }
            _ => format!("line {at} cannot be read as values between commas"),
        };
        Box::new(Problem::new(kinds::MALFORMED_BODY).detail(detail))
    };
    let names = reader.headers().map_err(|error| malformed(&error))?.clone();
    let columns = sheet::header(plan, resource, &names).map_err(|detail| {
        let detail = format!("the header {detail}");
        Box::new(Problem::new(kinds::UNKNOWN_MEMBER).detail(detail))
    })?;
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| malformed(&error))?;
        let line = record.position().map_or(0, csv::Position::line);
        rows.push((line, sheet::body(&columns, &record)));
    }
    Ok(rows)
}

/// The body as text that a store takes.
fn text_of(body: &[u8]) -> Result<&str, Failure> {
    let malformed = |detail: String| Box::new(Problem::new(kinds::MALFORMED_BODY).detail(detail));
    let text = std::str::from_utf8(body)
        .map_err(|error| malformed(format!("not UTF-8 at byte {}", error.valid_up_to())))?;
    match text.find('\0') {
        Some(at) => Err(malformed(format!("the character NUL at byte {at}"))),
        None => Ok(text.strip_prefix('\u{feff}').unwrap_or(text)),
    }
}

/// Rows of JSON, a line each; empty lines are none.
pub(super) fn lines(body: &[u8]) -> Result<Rows, Failure> {
    let lines = (1..).zip(text_of(body)?.split('\n')).map(|(at, line)| (at, line.trim()));
    Ok(lines.filter(|(_, line)| !line.is_empty()).map(|(at, line)| (at, line.to_owned())).collect())
}

/// There are rows, and not too many.
pub(super) fn bounded(rows: usize, atomic: bool) -> Result<(), Failure> {
    let wrong = |detail: String| Err(Box::new(Problem::new(kinds::INVALID_VALUE).at("", detail)));
    match rows {
        0 => wrong("holds no row".to_owned()),
        rows if rows > IMPORT_ROWS_MAX => {
            wrong(format!("holds {rows} rows, and an import takes at most {IMPORT_ROWS_MAX}"))
        }
        rows if atomic && rows > ATOMIC_ROWS_MAX => wrong(format!(
            "holds {rows} rows, and at most {ATOMIC_ROWS_MAX} are imported all or none"
        )),
        _ => Ok(()),
    }
}

/// Rows in the pieces that they are kept and imported in.
pub(super) fn chunks(operation: &Operation, rows: &Rows) -> Vec<Chunk> {
    let new = |number: usize| Chunk {
        operation: operation.id,
        tenant: operation.tenant.clone(),
        part: Part::Input,
        number: number as i64,
        rows: 0,
        failed: 0,
        data: String::new(),
    };
    let mut chunks: Vec<Chunk> = Vec::new();
    for (at, (line, body)) in rows.iter().enumerate() {
        let full = chunks.last().is_none_or(|chunk| {
            let bytes = chunk.data.len() + body.len();
            chunk.rows >= IMPORT_BATCH_ROWS_MAX as i64 || bytes > CHUNK_BYTES_MAX
        });
        if full {
            chunks.push(new(at));
        }
        if let Some(chunk) = chunks.last_mut() {
            keep_row(&mut chunk.data, *line, body);
            chunk.rows += 1;
        }
    }
    chunks
}
