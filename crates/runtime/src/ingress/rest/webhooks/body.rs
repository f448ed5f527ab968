//! Bodies of calls about endpoints: every fault with its place.

use crate::engine::Failure;
use crate::engine::change::read_json;
use crate::json::Json;
use crate::json::literal::read_uuid;
use crate::json::read::shorten;
use crate::json::time::read_timestamp;
use crate::plan::Plan;
use crate::ports::webhooks::{Endpoint, Signing};
use crate::problem::{Problem, kinds, pointer_token};
use crate::upcast;
use crate::webhooks::registry::offered;

/// Characters of a description at most.
const DESCRIPTION_CHARACTERS_MAX: usize = 500;

/// A new endpoint.
pub(super) struct New {
    pub(super) url: String,
    pub(super) events: Vec<String>,
    pub(super) description: String,
    pub(super) signing: Signing,
}

/// What changes of an endpoint.
#[derive(Default)]
pub(super) struct Change {
    pub(super) url: Option<String>,
    pub(super) events: Option<Vec<String>>,
    pub(super) description: Option<String>,
    pub(super) disabled: Option<bool>,
}

/// What is to be sent again.
pub(super) enum Again {
    /// One event.
    One(u128),
    /// Those of a time, from the first moment to before the last.
    Span(i64, i64),
}

/// Members of a body, and what is wrong with them.
struct Reader<'b> {
    members: Vec<(std::borrow::Cow<'b, str>, Json<'b>)>,
    problem: Problem,
}

impl<'b> Reader<'b> {
    fn of(body: &'b [u8], known: &[&str]) -> Result<Self, Failure> {
        let json = read_json(body)?;
        let wrong = |detail: String| Box::new(Problem::new(kinds::INVALID_VALUE).at("", detail));
        if json.holds_nul() {
            return Err(wrong("may not hold the character NUL".to_owned()));
        }
        let Json::Object(members) = json else {
            return Err(wrong(format!("must be an object, not {}", json.kind())));
        };
        let mut unknown = Problem::new(kinds::UNKNOWN_MEMBER);
        for (name, _) in members.iter().filter(|(name, _)| !known.contains(&&**name)) {
            let detail = format!("is none of `{}`", known.join("`, `"));
            unknown = unknown.at(format!("/{}", pointer_token(&shorten(name))), detail);
        }
        match unknown.errors.is_empty() {
            true => Ok(Self { members, problem: Problem::new(kinds::INVALID_VALUE) }),
            false => Err(Box::new(unknown)),
        }
    }

    fn take(&mut self, name: &str) -> Option<Json<'b>> {
        let at = self.members.iter().position(|(known, _)| known == name)?;
        Some(self.members.swap_remove(at).1)
    }

    fn fault(&mut self, at: String, detail: impl Into<String>) {
        let problem = std::mem::replace(&mut self.problem, Problem::new(kinds::INVALID_VALUE));
        self.problem = problem.at(at, detail);
    }

    fn text(&mut self, name: &str, characters_max: usize) -> Option<String> {
        match self.take(name)? {
            Json::Text(text) if text.chars().count() <= characters_max => Some(text.into_owned()),
            Json::Text(_) => {
                let detail = format!("may have {characters_max} characters at most");
                self.fault(format!("/{name}"), detail);
                None
            }
            other => {
                self.fault(format!("/{name}"), format!("must be text, not {}", other.kind()));
                None
            }
        }
    }

    fn description(&mut self) -> Option<String> {
        if let Some((_, Json::Null)) = self.members.iter().find(|(name, _)| name == "description") {
            self.take("description");
            return Some(String::new());
        }
        self.text("description", DESCRIPTION_CHARACTERS_MAX)
    }

    fn required(&mut self, name: &str) {
        if !self.members.iter().any(|(known, _)| known == name) {
            self.fault(format!("/{name}"), "is required");
        }
    }

    /// Names of events that callers of the actor may have delivered.
    fn events(&mut self, plan: &Plan, actor: &str) -> Option<Vec<String>> {
        let elements = match self.take("events")? {
            Json::Array(elements) if !elements.is_empty() => elements,
            _ => {
                self.fault("/events".to_owned(), "must be a list of event types, not empty");
                return None;
            }
        };
        let offered = offered(plan, actor);
        let mut events: Vec<String> = Vec::new();
        for (at, element) in elements.into_iter().enumerate() {
            let place = format!("/events/{at}");
            let Json::Text(text) = element else {
                self.fault(place, "must be the type of an event");
                continue;
            };
            let name = match upcast::meant(&plan.domain, &text) {
                Ok(name) => name,
                Err(now) => {
                    let detail = format!("`{}` is told no more: write `{now}`", shorten(&text));
                    self.fault(place, detail);
                    continue;
                }
            };
            if !offered.contains(&name) {
                let detail = format!(
                    "`{}` is no event that `{actor}` may have delivered: there are `{}`",
                    shorten(&text),
                    offered.join("`, `")
                );
                self.fault(place, detail);
            } else if !events.iter().any(|known| known == name) {
                events.push(name.to_owned());
            }
        }
        events.sort();
        Some(events)
    }

    fn done<T>(self, read: impl FnOnce() -> Option<T>) -> Result<T, Failure> {
        let problem = self.problem;
        if !problem.errors.is_empty() {
            return Err(Box::new(problem));
        }
        read().ok_or_else(|| Box::new(problem))
    }
}

impl New {
    /// Reads the body of a registration by a caller of an actor.
    pub(super) fn read(body: &[u8], plan: &Plan, actor: &str) -> Result<Self, Failure> {
        let mut reader = Reader::of(body, &["url", "events", "description", "signing"])?;
        reader.required("url");
        reader.required("events");
        let url = reader.text("url", crate::webhooks::guard::URL_CHARACTERS_MAX);
        let events = reader.events(plan, actor);
        let description = reader.description().unwrap_or_default();
        let signing = match reader.text("signing", 20) {
            None => Some(Signing::default()),
            Some(name) => Signing::named(&name),
        };
        if signing.is_none() {
            reader.fault("/signing".to_owned(), "must be `hmac` or `ed25519`");
        }
        reader.done(|| Some(Self { url: url?, events: events?, description, signing: signing? }))
    }
}

impl Change {
    /// Reads the body of a change of an endpoint of an actor.
    pub(super) fn read(body: &[u8], plan: &Plan, actor: &str) -> Result<Self, Failure> {
        let mut reader = Reader::of(body, &["url", "events", "description", "disabled"])?;
        let mut change = Self {
            url: reader.text("url", crate::webhooks::guard::URL_CHARACTERS_MAX),
            events: reader.events(plan, actor),
            description: reader.description(),
            disabled: None,
        };
        match reader.take("disabled") {
            None => {}
            Some(Json::Bool(disabled)) => change.disabled = Some(disabled),
            Some(_) => reader.fault("/disabled".to_owned(), "must be `true` or `false`"),
        }
        reader.done(|| Some(change))
    }

    /// Changes an endpoint; true where something is other than before.
    pub(super) fn apply(&self, endpoint: &mut Endpoint) -> bool {
        let before = endpoint.clone();
        if let Some(url) = &self.url {
            endpoint.url.clone_from(url);
        }
        if let Some(events) = &self.events {
            endpoint.events.clone_from(events);
        }
        if let Some(description) = &self.description {
            endpoint.description.clone_from(description);
        }
        if let Some(disabled) = self.disabled {
            endpoint.disabled = disabled;
            // Whoever disabled it before, it is the caller's will now; and it begins anew.
            endpoint.reason = None;
            endpoint.failing = None;
        }
        *endpoint != before
    }
}

impl Again {
    /// Reads what is to be sent again.
    pub(super) fn read(body: &[u8], now: i64) -> Result<Self, Failure> {
        let mut reader = Reader::of(body, &["event", "since", "until"])?;
        let one = reader.take("event");
        let (since, until) = (reader.take("since"), reader.take("until"));
        let moment = |json: &Json<'_>| match json {
            Json::Text(text) => read_timestamp(text),
            _ => None,
        };
        let again = match (&one, &since) {
            (Some(Json::Text(id)), None) if until.is_none() => read_uuid(id).map(Self::One),
            (None, Some(since)) => {
                let until = until.as_ref().map_or(Some(now), moment);
                moment(since).zip(until).map(|(since, until)| Self::Span(since, until))
            }
            _ => None,
        };
        if again.is_none() {
            let detail = "must hold `event` (a UUID), or `since` and perhaps `until` (instants)";
            reader.fault(String::new(), detail);
        }
        reader.done(|| again)
    }
}
