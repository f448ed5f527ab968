//! What a browser gets beside the API: an index at `/`, the explorer at `/docs` and the contract
//! at `/openapi.json` and `/openapi.yaml`. Everything is in the binary; nothing is fetched.

mod index;

use arc_swap::ArcSwap;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{HeaderName, Method, StatusCode, header};
use ir::architecture::Architecture;
use ir::contract::{OWN_PATHS, problems};
use runtime::http::{Request, Response, Service};
use runtime::problem::Problem;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Read, Write};
use std::sync::Arc;

/// Scripts and styles of this server alone. The explorer sets styles from its script.
const EXPLORER_POLICY: &str = "default-src 'none'; script-src 'self'; connect-src 'self'; \
    style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// A file as it is served.
#[derive(Debug)]
struct Page {
    media_type: &'static str,
    /// The bytes; compressed with gzip where `packed`.
    bytes: bytes::Bytes,
    packed: bool,
    etag: String,
    policy: &'static str,
}

impl Page {
    fn plain(media_type: &'static str, text: impl Into<Vec<u8>>) -> Self {
        Self::new(media_type, text.into().into(), false)
    }

    fn packed(media_type: &'static str, bytes: &'static [u8]) -> Self {
        Self::new(media_type, bytes::Bytes::from_static(bytes), true)
    }

    /// A long text, held compressed: it is asked for rarely, and its memory is held always.
    fn long(media_type: &'static str, text: &str) -> Self {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        let packed = packer.write_all(text.as_bytes()).and_then(|()| packer.finish());
        match packed {
            Ok(mut packed) => {
                packed.shrink_to_fit();
                Self::new(media_type, packed.into(), true)
            }
            Err(_) => Self::plain(media_type, text),
        }
    }

    fn new(media_type: &'static str, bytes: bytes::Bytes, packed: bool) -> Self {
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        let etag = format!("\"{:016x}\"", hasher.finish());
        Self { media_type, bytes, packed, etag, policy: EXPLORER_POLICY }
    }

    fn answer(&self, request: &Request) -> Response {
        let known = request.header(header::IF_NONE_MATCH).is_some_and(|tags| {
            tags.split(',').any(|tag| tag.trim().trim_start_matches("W/") == self.etag)
        });
        if known {
            return Response::new(StatusCode::NOT_MODIFIED).header(header::ETAG, &self.etag);
        }
        let accepted = request.header(header::ACCEPT_ENCODING).unwrap_or_default();
        let body = if !self.packed {
            self.bytes.clone()
        } else if takes_gzip(accepted) {
            let response = Response::of(StatusCode::OK, self.media_type, self.bytes.clone());
            return self.dress(response.header(header::CONTENT_ENCODING, "gzip"));
        } else {
            let mut plain = Vec::new();
            GzDecoder::new(&*self.bytes)
                .read_to_end(&mut plain)
                .expect("what this program packed is whole");
            plain.into()
        };
        self.dress(Response::of(StatusCode::OK, self.media_type, body))
    }

    fn dress(&self, response: Response) -> Response {
        let policy = HeaderName::from_static("content-security-policy");
        response
            .header(header::ETAG, &self.etag)
            .header(header::CACHE_CONTROL, "no-cache")
            .header(policy, self.policy)
            .header(header::VARY, "accept-encoding")
    }
}

/// True where `Accept-Encoding` allows gzip.
fn takes_gzip(accepted: &str) -> bool {
    accepted.split(',').any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
        let refused = weight.trim().trim_start_matches("q=").parse() == Ok(0.0_f32);
        ["gzip", "x-gzip"].contains(&name.trim()) && !refused
    })
}

/// What stands in the explorer's page for the hash of the model.
const MODEL: &str = "MODEL";

/// The pages of a system in front of its API.
pub(crate) struct Site {
    pages: ArcSwap<Pages>,
    api: Arc<dyn Service>,
}

/// The pages of one model.
struct Pages {
    all: BTreeMap<&'static str, Page>,
    /// The index for programs, beside the one for people.
    machine_index: Page,
}

impl Site {
    /// Pages made from the architecture, and everything else to `api`. `model` is the hash of the
    /// model.
    pub(crate) fn new(architecture: &Architecture, model: &str, api: Arc<dyn Service>) -> Self {
        Self { pages: ArcSwap::from_pointee(Pages::new(architecture, model)), api }
    }

    /// Shows another model from now on.
    pub(crate) fn swap(&self, architecture: &Architecture, model: &str) {
        self.pages.store(Arc::new(Pages::new(architecture, model)));
    }

    fn page(&self, request: &Request) -> Option<Response> {
        self.pages.load().page(request).map(|page| {
            if [Method::GET, Method::HEAD].contains(&request.method) {
                page.answer(request)
            } else {
                let problem = Problem::new(problems::METHOD_NOT_ALLOWED);
                problem.header(header::ALLOW, "GET, HEAD").into()
            }
        })
    }
}

impl Pages {
    fn new(architecture: &Architecture, model: &str) -> Self {
        let json = "application/json";
        let html = "text/html; charset=utf-8";
        let script = "text/javascript; charset=utf-8";
        let contract = formats::openapi::write_json(architecture);
        let explorer = include_str!("../assets/docs/explorer.html").replace(MODEL, model);
        let all = BTreeMap::from([
            ("/", Page::plain(html, index::html(architecture, model))),
            ("/openapi.json", Page::long(json, &contract)),
            (
                "/openapi.yaml",
                Page::long("application/yaml", &formats::openapi::write(architecture)),
            ),
            ("/docs", Page::plain(html, explorer)),
            ("/docs/explorer.js", Page::plain(script, include_str!("../assets/docs/explorer.js"))),
            (
                "/docs/swagger-ui-bundle.js",
                Page::packed(
                    script,
                    include_bytes!("../assets/swagger-ui/swagger-ui-bundle.js.gz"),
                ),
            ),
            (
                "/docs/swagger-ui.css",
                Page::packed(
                    "text/css; charset=utf-8",
                    include_bytes!("../assets/swagger-ui/swagger-ui.css.gz"),
                ),
            ),
        ]);
        // A public path such as `/{code}` must know what it can never lead to.
        debug_assert!(all.keys().all(|page| {
            let is = |own: &&str| page == own || page.starts_with(&format!("{own}/"));
            OWN_PATHS.iter().any(is)
        }));
        Self { all, machine_index: Page::plain(json, index::json(architecture, model)) }
    }

    fn page(&self, request: &Request) -> Option<&Page> {
        let path = match request.path() {
            "/docs/" => "/docs",
            path => path,
        };
        let accepts = request.header(header::ACCEPT).unwrap_or_default();
        if path == "/" && !accepts.contains("text/html") {
            return Some(&self.machine_index);
        }
        self.all.get(path)
    }
}

impl Service for Site {
    fn call(&self, request: Request) -> BoxFuture<'_, Response> {
        match self.page(&request) {
            Some(response) => futures::future::ready(response).boxed(),
            None => self.api.call(request),
        }
    }

    fn turn_away<'a>(&'a self, request: &'a mut Request) -> BoxFuture<'a, Option<Response>> {
        match self.page(request) {
            // A page says what it does not take without looking at a body.
            Some(response) => futures::future::ready(Some(response)).boxed(),
            None => self.api.turn_away(request),
        }
    }

    fn takes_rows(&self, request: &Request) -> bool {
        self.api.takes_rows(request)
    }

    fn warm(&self) -> BoxFuture<'_, ()> {
        self.api.warm()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_who_takes_it() {
        assert!(takes_gzip("gzip"));
        assert!(takes_gzip("br, gzip;q=0.5"));
        assert!(!takes_gzip("gzip;q=0"));
        assert!(!takes_gzip("br"));
        assert!(!takes_gzip(""));
    }

    #[test]
    fn a_packed_page_is_unpacked_for_who_does_not() {
        let packed = include_bytes!("../assets/swagger-ui/swagger-ui.css.gz");
        let page = Page::packed("text/css", packed);
        let mut request = Request::new(Method::GET, http::Uri::from_static("/docs/swagger-ui.css"));
        let plain = page.answer(&request);
        assert!(plain.headers.get(header::CONTENT_ENCODING).is_none());
        request.headers.insert(header::ACCEPT_ENCODING, http::HeaderValue::from_static("gzip"));
        let small = page.answer(&request);
        assert_eq!(small.headers[header::CONTENT_ENCODING], "gzip");
        request.headers.insert(header::IF_NONE_MATCH, small.headers[header::ETAG].clone());
        assert_eq!(page.answer(&request).status, StatusCode::NOT_MODIFIED);
    }
}
