//! Cross-origin requests of browsers (the Fetch standard's CORS protocol), from one policy.

use crate::http::Response;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderValue, ORIGIN, VARY,
};
use http::{HeaderMap, Method, StatusCode};
use std::time::Duration;

/// Headers that a page may send.
const ALLOWED: &str = "authorization, content-type, idempotency-key, if-match, if-none-match, \
                       prefer, traceparent, tracestate, x-api-key, x-request-timeout, x-tenant, \
                       api-version, mainstay-position";
/// Methods that a page may use.
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
/// Headers of the answer that a page may read beside the safe ones.
const EXPOSED: &str = "etag, location, link, retry-after, ratelimit, ratelimit-policy, \
                       idempotent-replayed, idempotency-expires, deprecation, sunset, \
                       server-timing, traceparent, www-authenticate, allow, accept-patch, \
                       mainstay-position";

/// Which pages may call. Tokens travel in `Authorization`, so credentials of the browser (cookies)
/// are never allowed unless asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// Origins like `https://app.example`, or one `*` for all. Empty: no page of another origin.
    pub origins: Vec<String>,
    /// The browser may send cookies; impossible with `*`.
    pub credentials: bool,
    /// How long a browser may keep a preflight's answer. Default 10 min.
    pub max_age: Duration,
}

impl Default for Cors {
    fn default() -> Self {
        Self { origins: Vec::new(), credentials: false, max_age: Duration::from_secs(600) }
    }
}

impl Cors {
    /// What is wrong with the policy, if anything.
    ///
    /// # Errors
    /// A sentence for people, naming the origin.
    pub fn check(&self) -> Result<(), String> {
        if self.credentials && self.any() {
            return Err("the origin `*` cannot be combined with credentials; name origins".into());
        }
        for origin in self.origins.iter().filter(|origin| *origin != "*") {
            let rest = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            let sound = rest.is_some_and(|rest| {
                !rest.is_empty() && !rest.contains(['/', '*', ' ', '?', '#', '@'])
            });
            if !sound || origin.chars().any(|letter| letter.is_ascii_uppercase()) {
                return Err(format!(
                    "`{origin}` is not an origin; write scheme and host in lower case without a \
                     path, like `https://app.example`"
                ));
            }
        }
        Ok(())
    }

    fn any(&self) -> bool {
        self.origins.iter().any(|origin| origin == "*")
    }

    /// The answer to a preflight; none where the request is not one.
    pub fn preflight(&self, method: &Method, headers: &HeaderMap) -> Option<Response> {
        let asked = headers.contains_key(ORIGIN)
            && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
            && method == Method::OPTIONS;
        if !asked {
            return None;
        }
        let mut response = Response::new(StatusCode::NO_CONTENT);
        if headers.get(ORIGIN).is_some_and(|page| self.allowed(page).is_some()) {
            let age = HeaderValue::from(self.max_age.as_secs());
            let put = &mut response.headers;
            put.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
            put.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(ALLOWED));
            put.insert(ACCESS_CONTROL_MAX_AGE, age);
        }
        Some(response)
    }

    /// Adds to an answer what lets the page read it.
    pub fn finish(&self, page: Option<&HeaderValue>, answer: &mut HeaderMap) {
        if self.origins.is_empty() {
            return;
        }
        if !self.any() {
            answer.append(VARY, HeaderValue::from_static("origin"));
        }
        let Some(origin) = page.and_then(|page| self.allowed(page)) else { return };
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        if self.credentials {
            answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }

    /// The value of `Access-Control-Allow-Origin` for a request of an allowed origin.
    fn allowed(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        if self.any() {
            return Some(HeaderValue::from_static("*"));
        }
        let known = self.origins.iter().any(|known| known.as_bytes() == origin.as_bytes());
        known.then(|| origin.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(origin: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ORIGIN, origin.parse().unwrap());
        headers.insert(ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("PATCH"));
        headers
    }

    fn policy(origins: &[&str]) -> Cors {
        let origins = origins.iter().map(|origin| (*origin).to_owned()).collect();
        Cors { origins, ..Cors::default() }
    }

    #[test]
    fn a_preflight_of_an_allowed_origin_names_methods_and_headers() {
        let cors = policy(&["https://app.example"]);
        let mut answer = cors.preflight(&Method::OPTIONS, &headers("https://app.example")).unwrap();
        cors.finish(headers("https://app.example").get(ORIGIN), &mut answer.headers);
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
        assert_eq!(answer.headers[ACCESS_CONTROL_ALLOW_ORIGIN], "https://app.example");
        assert_eq!(answer.headers[ACCESS_CONTROL_ALLOW_METHODS], METHODS);
        assert_eq!(answer.headers[ACCESS_CONTROL_MAX_AGE], "600");
        assert_eq!(answer.headers[VARY], "origin");
    }

    #[test]
    fn another_origin_gets_nothing_but_vary() {
        let cors = policy(&["https://app.example"]);
        for origin in ["https://evil.example", "https://app.example.evil", "null"] {
            let mut answer = cors.preflight(&Method::OPTIONS, &headers(origin)).unwrap();
            cors.finish(headers(origin).get(ORIGIN), &mut answer.headers);
            assert_eq!(answer.headers.len(), 1, "{origin}: {:?}", answer.headers);
            assert_eq!(answer.headers[VARY], "origin");
        }
    }

    #[test]
    fn without_origins_there_is_no_cors_and_a_plain_options_is_no_preflight() {
        let cors = Cors::default();
        let mut answer = HeaderMap::new();
        cors.finish(headers("https://app.example").get(ORIGIN), &mut answer);
        assert!(answer.is_empty());
        assert!(cors.preflight(&Method::OPTIONS, &HeaderMap::new()).is_none());
        assert!(cors.preflight(&Method::GET, &headers("https://app.example")).is_none());
    }

    #[test]
    fn a_policy_that_cannot_work_is_refused() {
        assert_eq!(policy(&["*", "https://a.example", "http://localhost:3000"]).check(), Ok(()));
        for wrong in ["https://a.example/", "a.example", "https://A.example", "https://*.a", ""] {
            assert!(policy(&[wrong]).check().is_err(), "{wrong}");
        }
        let all = Cors { credentials: true, ..policy(&["*"]) };
        assert!(all.check().is_err());
    }
}
