//! What a caller wrote, told to another process: after a write where copies of the store answer
//! reads, `Mainstay-Position` holds the position of the store, sealed. Sent back with a read, it
//! asks for a copy that has come as far.

use super::Asked;
use super::cursor::Binding;
use crate::engine::seal::CursorKey;
use crate::http::{Request, Response};
use crate::ports::store::Fresh;
use http::{HeaderName, Method, header};
use ir::value::Value;

/// The header, both ways.
const POSITION: HeaderName = HeaderName::from_static("mainstay-position");

/// What the reads of a request may miss. A write misses nothing, nor does a read that names the
/// version that it expects, or a position that can't be read.
pub(super) fn fresh(key: &CursorKey, request: &Request) -> Fresh {
    let reads = [Method::GET, Method::HEAD].contains(&request.method);
    if !reads || request.headers.contains_key(header::IF_MATCH) {
        return Fresh::Newest;
    }
    if !request.headers.contains_key(POSITION) {
        return Fresh::Own { after: 0 };
    }
    let sent = request.header(POSITION).and_then(|text| binding(key).place(text, 1));
    match sent.as_deref() {
        Some([Value::Int(position)]) => Fresh::Own { after: position.cast_unsigned() },
        Some(_) | None => Fresh::Newest,
    }
}

fn binding(key: &CursorKey) -> Binding<'_> {
    let mut binding = Binding::new(key);
    binding.add(b"position");
    binding
}

impl Asked<'_> {
    /// The answer to a write, with the position of the stores where one has copies.
    pub(super) async fn positioned(&self, mut response: Response) -> Response {
        let mut last = None;
        for store in self.live.engine.stores() {
            last = last.max(store.position().await);
        }
        if let Some(position) = last {
            let place = [Value::Int(position.cast_signed())];
            if let Some(sealed) = binding(&self.backend.cursor_key).cursor(&place) {
                response = response.header(POSITION, &sealed);
            }
        }
        response
    }
}
