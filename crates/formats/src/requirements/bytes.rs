//! Raw bytes of files become texts; what is not text is said at its place.

use super::FILE_BYTES_MAX;
use super::faults::not_text;
use ir::source::SourceFile;
use ir::{Diagnostic, Sources, Span};

/// The files as texts, in the order of their paths. A file that is no UTF-8 is kept up to its first
/// bad line, and that is said; of one that is too large only so much is kept that the reader can
/// say so. The caller need not read more than [`FILE_BYTES_MAX`] + 1 bytes of a file.
pub fn sources_from_bytes(mut files: Vec<(String, Vec<u8>)>) -> (Sources, Vec<Diagnostic>) {
    files.sort();
    let mut sources = Sources::default();
    let mut faults = Vec::new();
    for (at, (path, bytes)) in files.into_iter().enumerate() {
        let file = u32::try_from(at).unwrap_or(u32::MAX);
        let text = text(file, bytes, &mut faults);
        sources.files.push(SourceFile { path, text });
    }
    (sources, faults)
}

fn text(file: u32, bytes: Vec<u8>, faults: &mut Vec<Diagnostic>) -> String {
    let start = Span::new(file, 0, 0);
    if bytes.len() > FILE_BYTES_MAX {
        return String::from_utf8_lossy(&bytes[..=FILE_BYTES_MAX]).into_owned();
    }
    let encodings: [(&[u8], &str); 4] = [
        (&[0xFF, 0xFE, 0, 0], "UTF-32"),
        (&[0, 0, 0xFE, 0xFF], "UTF-32"),
        (&[0xFF, 0xFE], "UTF-16"),
        (&[0xFE, 0xFF], "UTF-16"),
    ];
    if let Some((_, name)) = encodings.iter().find(|(mark, _)| bytes.starts_with(mark)) {
        faults.push(not_text::encoding(start, name));
        return String::new();
    }
    let bytes = match bytes.strip_prefix(b"\xEF\xBB\xBF") {
        Some(rest) => rest.to_vec(),
        None => bytes,
    };
    match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let good = error.utf8_error().valid_up_to();
            let bad = error.as_bytes().get(good).copied().unwrap_or(0);
            let mut text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let end = text[good..].find('\n').map_or(text.len(), |at| good + at);
            text.truncate(end);
            let mark = good + text[good..].chars().next().map_or(0, char::len_utf8);
            faults.push(not_text::bytes(Span::new(file, good, mark), bad));
            text
        }
    }
}
