//! What the server calls for each request that is the backend's.

use super::{Request, Response};
use futures::FutureExt;
use futures::future::BoxFuture;

/// The backend behind the server. One value serves all cores at once; hot swaps of the plan
/// happen inside it.
///
/// The server answers by itself, so a service never sees: requests that break HTTP or a limit
/// (400, 408, 413, 414, 431), CORS preflight, `/livez`, `/readyz`, `/startupz`, `/metrics`,
/// `/.well-known/jwks.json` of the development key, and `OPTIONS *`. It answers everything else,
/// 404 and 405 too.
///
/// A call is dropped, wherever it waits, when the client goes away or the deadline passes: what
/// must not be torn is to be one step of the store. A panic is answered 500 and logged.
pub trait Service: Send + Sync + 'static {
    /// Answers one request.
    fn call(&self, request: Request) -> BoxFuture<'_, Response>;

    /// Answers what the head alone decides, such as an unknown path, a wrong method or a caller
    /// who is not proved. Asked before a body is read, so that nobody has to wait for the body of
    /// who may not send one; not asked where there is none. What was found out about the request
    /// can be left in [`Request::known`] for [`Service::call`].
    fn turn_away<'a>(&'a self, _request: &'a mut Request) -> BoxFuture<'a, Option<Response>> {
        futures::future::ready(None).boxed()
    }

    /// True where a request brings rows in bulk: its body may be as long as
    /// [`Limits::import_bytes_max`](super::config::Limits::import_bytes_max).
    fn takes_rows(&self, _request: &Request) -> bool {
        false
    }

    /// Makes ready what each thread that serves has for itself, such as connections to a store.
    /// Every one of them asks for it once, on its own runtime, before it accepts anybody.
    fn warm(&self) -> BoxFuture<'_, ()> {
        futures::future::ready(()).boxed()
    }
}

/// A function is a service.
impl<F> Service for F
where
    F: Fn(Request) -> BoxFuture<'static, Response> + Send + Sync + 'static,
{
    fn call(&self, request: Request) -> BoxFuture<'_, Response> {
        self(request)
    }
}
