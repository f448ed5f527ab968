//! Health probes: `/livez` (the process), `/readyz` (what it needs to serve), `/startupz`.
//!
//! Checks run in the background, so a probe costs nothing; a state changes only after several
//! results of the same kind, so that one slow answer does not take a server out of the balance.

use crate::http::Response;
use crate::problem::{Problem, kinds};
use futures::future::{BoxFuture, join_all};
use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderValue};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Between two rounds of checks.
pub const EVERY: Duration = Duration::from_secs(2);
/// A check that takes longer has failed.
pub const CHECK_TIMEOUT: Duration = Duration::from_secs(1);
/// So many failures in a row make a check fail.
pub const FAILURES_MIN: u32 = 3;
/// So many successes in a row make a failed check pass again.
pub const SUCCESSES_MIN: u32 = 2;

/// One thing that readiness depends on.
pub struct Check {
    /// Its name, as in the verbose answer.
    pub name: &'static str,
    /// The server cannot serve without it. Others are shown and change nothing.
    pub required: bool,
    /// Looks; the error is a sentence for operators.
    pub look: Box<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>,
}

/// The health of the process.
pub struct Health {
    checks: Vec<Check>,
    states: Mutex<Vec<State>>,
    started: AtomicBool,
    leaving: AtomicBool,
    /// Hash of the model that is served; empty where nobody said.
    model: Mutex<String>,
}

#[derive(Debug, Clone, Default)]
struct State {
    /// None before the first result, which counts at once.
    passes: Option<bool>,
    in_a_row: u32,
    error: Option<String>,
}

impl State {
    fn note(&mut self, result: Result<(), String>) {
        let ok = result.is_ok();
        self.error = result.err();
        match self.passes {
            None => self.passes = Some(ok),
            Some(passes) if passes == ok => self.in_a_row = 0,
            Some(passes) => {
                self.in_a_row += 1;
                let needed = if passes { FAILURES_MIN } else { SUCCESSES_MIN };
                if self.in_a_row >= needed {
                    (self.passes, self.in_a_row) = (Some(ok), 0);
                }
            }
        }
    }
}

impl Health {
    /// Health that depends on these checks. Not started: call [`Health::started`].
    pub fn new(checks: Vec<Check>) -> Self {
        let states = Mutex::new(vec![State::default(); checks.len()]);
        let started = AtomicBool::new(false);
        let (leaving, model) = (AtomicBool::new(false), Mutex::default());
        Self { checks, states, started, leaving, model }
    }

    /// Says which model is served from now on, by its hash; the verbose answers name it.
    pub fn serves(&self, model: &str) {
        model.clone_into(&mut self.model.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Says that what must be done once at the start (migrations, plan) is done.
    pub fn started(&self) {
        self.started.store(true, Relaxed);
    }

    /// Says that the server is about to end: `/readyz` fails from now on.
    pub fn leave(&self) {
        self.leaving.store(true, Relaxed);
    }

    /// True where `/readyz` answers 200.
    pub fn ready(&self) -> bool {
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let required = self.checks.iter().zip(states.iter()).filter(|(check, _)| check.required);
        let pass = required.map(|(_, state)| state.passes).all(|passes| passes == Some(true));
        pass && self.started.load(Relaxed) && !self.leaving.load(Relaxed)
    }

    /// Runs all checks once.
    pub async fn look(&self) {
        let looks = self.checks.iter().map(|check| async {
            match tokio::time::timeout(CHECK_TIMEOUT, (check.look)()).await {
                Ok(result) => result,
                Err(_) => Err(format!("no answer within {} s", CHECK_TIMEOUT.as_secs())),
            }
        });
        let results = join_all(looks).await;
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        for (state, result) in states.iter_mut().zip(results) {
            state.note(result);
        }
    }

    /// Runs the checks again and again, for ever.
    pub(super) async fn watch(&self) {
        loop {
            self.look().await;
            tokio::time::sleep(EVERY).await;
        }
    }

    /// What a probe asks; none for another path.
    pub(super) fn fine(&self, path: &str) -> Option<bool> {
        match path {
            "/livez" => Some(true),
            "/startupz" => Some(self.started.load(Relaxed)),
            "/readyz" => Some(self.ready()),
            _ => None,
        }
    }

    /// The answer to a probe; none for another path. `verbose` shows each check.
    pub(super) fn probe(&self, path: &str, verbose: bool) -> Option<Response> {
        let fine = self.fine(path)?;
        let mut response = match (fine, verbose) {
            (true, false) => Response::of(StatusCode::OK, "text/plain; charset=utf-8", "ok\n"),
            (true, true) => Response::json(StatusCode::OK, self.verbose().to_string()),
            (false, false) => Problem::new(kinds::UNAVAILABLE).detail("not ready").into(),
            (false, true) => {
                let problem = Problem::new(kinds::UNAVAILABLE).detail("not ready");
                problem.member("health", self.verbose()).into()
            }
        };
        response.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Some(response)
    }

    fn verbose(&self) -> serde_json::Value {
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let checks: Vec<_> = self
            .checks
            .iter()
            .zip(states.iter())
            .map(|(check, state)| {
                let status = match state.passes {
                    None => "unknown",
                    Some(true) => "pass",
                    Some(false) => "fail",
                };
                serde_json::json!({
                    "name": check.name,
                    "required": check.required,
                    "status": status,
                    "error": state.error,
                })
            })
            .collect();
        serde_json::json!({
            "started": self.started.load(Relaxed),
            "leaving": self.leaving.load(Relaxed),
            "model": *self.model.lock().unwrap_or_else(PoisonError::into_inner),
            "checks": checks,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn switchable(required: bool) -> (Health, Arc<AtomicBool>) {
        let up = Arc::new(AtomicBool::new(true));
        let seen = up.clone();
        let look = move || -> BoxFuture<'static, Result<(), String>> {
            let up = seen.load(Relaxed);
            Box::pin(async move { if up { Ok(()) } else { Err("down".to_owned()) } })
        };
        (Health::new(vec![Check { name: "store", required, look: Box::new(look) }]), up)
    }

    #[tokio::test]
    async fn readiness_changes_after_several_results_of_a_kind() {
        let (health, up) = switchable(true);
        health.started();
        assert!(!health.ready(), "nothing is known before the first look");
        health.look().await;
        assert!(health.ready());
        up.store(false, Relaxed);
        for _ in 1..FAILURES_MIN {
            health.look().await;
            assert!(health.ready());
        }
        health.look().await;
        assert!(!health.ready());
        up.store(true, Relaxed);
        health.look().await;
        assert!(!health.ready());
        health.look().await;
        assert!(health.ready());
        health.leave();
        assert!(!health.ready());
    }

    #[tokio::test]
    async fn what_is_not_required_changes_nothing_but_is_shown() {
        let (health, up) = switchable(false);
        up.store(false, Relaxed);
        health.started();
        health.look().await;
        assert!(health.ready());
        assert_eq!(health.verbose()["checks"][0]["status"], "fail");
        assert_eq!(health.verbose()["checks"][0]["error"], "down");
    }

    #[test]
    fn startup_is_told_apart_from_life() {
        let health = Health::new(Vec::new());
        let status = |path| health.probe(path, false).map(|response| response.status.as_u16());
        assert_eq!(status("/livez"), Some(200));
        assert_eq!(status("/startupz"), Some(503));
        assert_eq!(status("/readyz"), Some(503));
        health.started();
        assert_eq!(status("/startupz"), Some(200));
        assert_eq!(status("/readyz"), Some(200));
        assert_eq!(status("/other"), None);
    }
}
