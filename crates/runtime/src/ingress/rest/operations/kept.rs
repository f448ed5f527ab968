//! What is kept of an operation in pieces: the report of each row, and the file that was made.

use super::begin::{CSV, NDJSON};
use super::{Asked, Found};
use crate::engine::{Failure, not_found};
use crate::http::Response;
use crate::http::negotiation::media_type;
use crate::http::response::Body;
use crate::ingress::rest::list::limit;
use crate::ingress::rest::query::{invalid, none, parameters, unknown};
use crate::operate::{ExportInput, Task};
use crate::ports::operations::{ChunkQuery, Part, State};
use crate::ports::store::{Store, Tenant};
use crate::problem::{Problem, kinds};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use http::{Method, StatusCode, header};
use ir::value::Value;
use std::fmt::Write as _;
use std::io;
use std::sync::Arc;

/// Pieces of a report that are read for a page at a time.
const REPORT_CHUNKS_MAX: u32 = 16;

/// A place in a report: the number of a piece, and how many rows of it were shown.
type Place = (i64, i64);

/// What is asked of a report.
#[derive(Default)]
struct Wanted {
    limit: usize,
    failed: bool,
    cursor: Option<String>,
    raw: String,
}

/// `GET /v1/operations/{id}/rows`
pub(super) async fn rows(asked: &Asked<'_>, found: &Found) -> Result<Response, Failure> {
    let wanted = wanted(asked)?;
    let mut binding = asked.binding(b"listOperationRows");
    binding.add(&found.operation.id.to_be_bytes());
    binding.add(&[u8::from(wanted.failed)]);
    let place = match &wanted.cursor {
        None => (0, 0),
        Some(cursor) => match binding.place(cursor, 2).as_deref() {
            Some([Value::Int(number), Value::Int(shown)]) => (*number, *shown),
            _ => {
                let problem = Problem::new(kinds::INVALID_CURSOR);
                return Err(Box::new(problem.parameter("cursor", "was not made for this list")));
            }
        },
    };
    let (shown, next) = read(asked, found, &wanted, place).await?;
    let mut out = b"{\"items\":[".to_vec();
    out.extend_from_slice(shown.join(",").as_bytes());
    out.push(b']');
    let next =
        next.and_then(|(number, shown)| binding.cursor(&[Value::Int(number), Value::Int(shown)]));
    Ok(asked.page(out, next.as_deref(), &wanted.raw))
}

fn wanted(asked: &Asked<'_>) -> Result<Wanted, Failure> {
    let settings = &asked.live.engine.plan.settings;
    let mut items = settings.page_items_default;
    let mut wanted = Wanted::default();
    let parameters = parameters(asked.request)?;
    for parameter in &parameters {
        let (name, value) = (&*parameter.name, &*parameter.value);
        if name == "cursor" {
            wanted.cursor = Some(value.to_owned());
            continue;
        }
        let between = if wanted.raw.is_empty() { "" } else { "&" };
        // Writing to a string can't fail.
        let _written = write!(wanted.raw, "{between}{}", parameter.raw);
        match (name, value) {
            ("limit", _) => items = limit(value, settings.page_items_max)?,
            ("failed", "true" | "false") => wanted.failed = value == "true",
            ("failed", _) => return Err(invalid("failed", "must be `true` or `false`")),
            _ => return Err(unknown(name, "is no parameter of this list")),
        }
    }
    wanted.limit = usize::try_from(items).unwrap_or(usize::MAX);
    Ok(wanted)
}

/// Rows of a report from a place on, and the place behind them where there are more.
async fn read(
    asked: &Asked<'_>,
    found: &Found,
    wanted: &Wanted,
    mut place: Place,
) -> Result<(Vec<String>, Option<Place>), Failure> {
    let (store, operation) = (asked.store(found.service)?, &found.operation);
    let mut shown = Vec::new();
    loop {
        let query = ChunkQuery {
            operation: operation.id,
            part: Part::Report,
            from: place.0,
            failed: wanted.failed,
            rows_max: REPORT_CHUNKS_MAX,
        };
        let chunks = store.chunks(&operation.tenant, &query).await?;
        let last = chunks.len() < REPORT_CHUNKS_MAX as usize;
        for chunk in chunks {
            if chunk.number != place.0 {
                place = (chunk.number, 0);
            }
            let is_wanted = |line: &&str| !wanted.failed || line.contains(",\"problem\":");
            let lines = chunk.data.split_terminator('\n').filter(is_wanted);
            for line in lines.skip(usize::try_from(place.1).unwrap_or(0)) {
                if shown.len() == wanted.limit {
                    return Ok((shown, Some(place)));
                }
                shown.push(line.to_owned());
                place.1 += 1;
            }
            place = (chunk.number + chunk.rows.max(1), 0);
        }
        if last {
            return Ok((shown, None));
        }
    }
}

/// `GET /v1/operations/{id}/result`: the file, as it is kept.
pub(super) async fn result(asked: &Asked<'_>, found: &Found) -> Result<Response, Failure> {
    none(asked.request)?;
    let (plan, operation) = (&asked.live.engine.plan, &found.operation);
    let Some(Task::Export(resource)) = Task::of(plan, &operation.kind) else {
        return Err(not_found());
    };
    if operation.state != State::Done {
        let detail = format!("it is {}: there is no result", operation.state.name());
        return Err(Box::new(Problem::new(kinds::GUARD_FAILED).detail(detail)));
    }
    let input: Option<ExportInput> = serde_json::from_str(&operation.input).ok();
    let csv = input.is_some_and(|input| input.csv);
    let (media, ending) = if csv { (CSV, "csv") } else { (NDJSON, "ndjson") };
    if media_type(&asked.request.headers, &[media]).is_none() {
        let problem = Problem::new(kinds::NOT_ACCEPTABLE);
        let detail = format!("it was made as `{media}`");
        return Err(Box::new(problem.header_fault("Accept", detail)));
    }
    let name = &plan.domain.resource(resource).path;
    let mut response = Response::new(StatusCode::OK)
        .header(header::CONTENT_TYPE, media)
        .header(header::CONTENT_DISPOSITION, &format!("attachment; filename=\"{name}.{ending}\""))
        .header(header::CACHE_CONTROL, "no-store");
    response.tenant = asked.call.tenant.clone();
    if asked.request.method != Method::HEAD {
        let store = Arc::clone(&asked.live.engine.stores()[found.service]);
        let (tenant, id) = (operation.tenant.clone(), operation.id);
        let pieces = Pieces { store, tenant, operation: id, from: 0, over: false };
        response.body = Body::Stream(parts(pieces));
    }
    Ok(response)
}

/// A result that is being sent, a piece at a time.
struct Pieces {
    store: Arc<dyn Store>,
    tenant: Tenant,
    operation: u128,
    from: i64,
    over: bool,
}

fn parts(pieces: Pieces) -> BoxStream<'static, io::Result<Bytes>> {
    stream::unfold(pieces, |mut pieces| async move {
        let part = pieces.next().await.transpose()?;
        Some((part, pieces))
    })
    .boxed()
}

impl Pieces {
    /// The next bytes; none at the end. An error cuts the answer off, so that nobody takes a part
    /// for the whole.
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        if self.over {
            return Ok(None);
        }
        let query = ChunkQuery {
            operation: self.operation,
            part: Part::Result,
            from: self.from,
            failed: false,
            rows_max: 1,
        };
        let gone = || io::Error::other("what an export made cannot be read");
        let chunks = match self.store.operations() {
            Some(store) => store.chunks(&self.tenant, &query).await,
            None => return Err(gone()),
        };
        let chunks = chunks.map_err(|why| {
            crate::engine::outage::log(&why);
            gone()
        })?;
        let Some(chunk) = chunks.into_iter().next() else { return Ok(None) };
        self.from = chunk.number + chunk.rows;
        self.over = chunk.rows == 0;
        Ok(Some(chunk.data.into()))
    }
}
