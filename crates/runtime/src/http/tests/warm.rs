//! What each thread that serves makes ready before it accepts.

use super::*;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Answers 204 once it is ready, 500 before.
struct Cold {
    /// None: it never is.
    takes: Option<Duration>,
    ready: AtomicBool,
}

impl Service for Cold {
    fn call(&self, _request: Request) -> BoxFuture<'_, Response> {
        let ready = self.ready.load(Relaxed);
        let status = if ready { 204 } else { 500 };
        let status = http::StatusCode::from_u16(status).expect("a status");
        futures::future::ready(Response::new(status)).boxed()
    }

    fn warm(&self) -> BoxFuture<'_, ()> {
        async move {
            match self.takes {
                Some(takes) => tokio::time::sleep(takes).await,
                None => std::future::pending().await,
            }
            self.ready.store(true, Relaxed);
        }
        .boxed()
    }
}

fn first_answer(takes: Option<Duration>) -> String {
    let cold = Arc::new(Cold { takes, ready: AtomicBool::new(false) });
    let server = serve(bind(config()).unwrap(), cold, Surroundings::default()).unwrap();
    let answer = talk(&server, "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    answer.split(' ').nth(1).unwrap_or_default().to_owned()
}

#[test]
fn nobody_is_answered_before_the_thread_is_ready() {
    assert_eq!(first_answer(Some(Duration::from_millis(200))), "204");
}

#[test]
fn what_does_not_get_ready_keeps_nobody_waiting_for_ever() {
    assert_eq!(first_answer(None), "500");
}
