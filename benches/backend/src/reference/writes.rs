//! Writes: a body is read and checked, the order made, the answer written, all of it committed.

use super::json::{read_uuid, uuid};
use super::order::{Change, Event, Kept, Order, OrderLine, Outcome, What};
use super::problem::{self, Kind, Problem};
use super::requests::{Answer, Asked, Core, one_currency, quoted};
use super::token::Actor;
use http::header::{CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_MATCH, LOCATION};
use http::{HeaderMap, StatusCode};
use ring::digest::{Context, SHA256};
use serde::Deserialize;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::sync::{Arc, PoisonError};

/// Microseconds that an answer is kept for its key.
const KEPT_MICROS: i64 = 86_400_000_000;
/// Attempts of a change without `If-Match`.
const ATTEMPTS_MAX: usize = 100;

const EXPIRES: HeaderName = HeaderName::from_static("idempotency-expires");
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewOrder<'a> {
    #[serde(borrow, default)]
    note: Option<Text<'a>>,
    #[serde(borrow)]
    lines: Vec<NewLine<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewLine<'a> {
    #[serde(borrow)]
    product: Cow<'a, str>,
    quantity: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Patch<'a> {
    /// Present or not, null or not.
    #[serde(borrow, default, deserialize_with = "present")]
    note: Option<Option<Text<'a>>>,
}

/// A text that is borrowed where it holds no escapes: serde copies those inside of `Option`.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn present<'de, D: serde::Deserializer<'de>>(
    from: D,
) -> Result<Option<Option<Text<'de>>>, D::Error> {
    Option::<Text<'de>>::deserialize(from).map(Some)
}

/// Places of a body and what is wrong there.
type Faults = Vec<(String, String)>;

fn refuse(kind: Kind, faults: Faults) -> Result<(), Problem> {
    if faults.is_empty() { Ok(()) } else { Err(Problem::new(kind).at(faults)) }
}

fn check_note(note: Option<&str>, faults: &mut Faults) {
    if note.is_some_and(|note| note.len() > 500 && note.chars().count() > 500) {
        faults.push(("/note".to_owned(), "must have at most 500 characters".to_owned()));
    }
    if note.is_some_and(|note| note.contains('\0')) {
        faults.push(("/note".to_owned(), "may not hold the character NUL".to_owned()));
    }
}

/// What an idempotency key stands for.
struct Key {
    scope: [u8; 32],
    fingerprint: [u8; 32],
}

/// Lets the key be used again when the call has ended, however it did.
struct Turn<'a> {
    core: &'a Core,
    scope: [u8; 32],
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let running = &self.core.shared.running;
        running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.scope);
    }
}

impl Asked {
    fn key(&self) -> Result<Option<Key>, Problem> {
        let Some(sent) = self.head.headers.get("idempotency-key") else { return Ok(None) };
        let key = sent.to_str().ok().filter(|key| (1..=255).contains(&key.len()));
        let key = key.ok_or_else(|| Problem::new(problem::PARAMETER))?;
        let (caller, path) = (&self.caller, self.head.uri.path().to_ascii_lowercase());
        let method = self.head.method.as_str();
        let scope = [&*caller.tenant, &caller.name, "", method, &path, key];
        // Objects of `Value` are sorted, so the same body in another order is the same.
        let canonical = serde_json::from_slice::<Value>(&self.body);
        let canonical = canonical.ok().and_then(|value| serde_json::to_vec(&value).ok());
        let body = canonical.as_deref().unwrap_or(&self.body);
        let if_match = self.head.headers.get(IF_MATCH).map(HeaderValue::as_bytes);
        let query = self.head.uri.query().unwrap_or_default().as_bytes();
        Ok(Some(Key {
            scope: digest(&scope.map(str::as_bytes)),
            fingerprint: digest(&[body, query, if_match.unwrap_or_default()]),
        }))
    }
}

fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    context.finish().as_ref().try_into().unwrap_or([0; 32])
}

impl Core {
    /// `POST /v1/orders`
    pub(super) async fn create(&self, asked: &Asked) -> Result<Answer, Problem> {
        let key = asked.key()?;
        let _turn = match &key {
            None => None,
            Some(key) => {
                let turn = self.turn(key)?;
                if let Some(answer) = self.replay(asked, key).await? {
                    return Ok(answer);
                }
                Some(turn)
            }
        };
        if asked.caller.actor != Actor::Shopper {
            return Err(Problem::new(problem::FORBIDDEN));
        }
        let order = self.new_order(asked).await?;
        let body = order.body();
        let mut location = b"/v1/orders/".to_vec();
        uuid(&mut location, order.id);
        let location = HeaderValue::from_bytes(&location).unwrap_or(HeaderValue::from_static(""));
        let mut answer = Asked::written(StatusCode::CREATED, 1, body, [(LOCATION, location)]);
        let kept = key.as_ref().map(|key| keep(key, &answer, asked.now));
        if let Some(kept) = &kept {
            answer.headers.insert(EXPIRES, quoted(&http_date(kept.expires)));
        }
        let tenant = Arc::clone(&asked.caller.tenant);
        let change = Change { tenant, now: asked.now, what: What::Create(order), kept };
        match (self.store.commit(change).await, key) {
            (Outcome::Done, _) => Ok(answer),
            (Outcome::Answered, Some(key)) => {
                let answer = self.replay(asked, &key).await?;
                answer.ok_or_else(|| Problem::new(problem::RUNNING))
            }
            _ => Err(Problem::new(problem::UNAVAILABLE)),
        }
    }

    fn turn(&self, key: &Key) -> Result<Turn<'_>, Problem> {
        let mut running = self.shared.running.lock().unwrap_or_else(PoisonError::into_inner);
        match running.insert(key.scope) {
            true => Ok(Turn { core: self, scope: key.scope }),
            false => Err(Problem::new(problem::RUNNING)),
        }
    }

    async fn replay(&self, asked: &Asked, key: &Key) -> Result<Option<Answer>, Problem> {
        let kept = self.store.kept(&asked.caller.tenant, &key.scope, asked.now).await?;
        let Some(kept) = kept else { return Ok(None) };
        if kept.fingerprint != key.fingerprint {
            return Err(Problem::new(problem::REUSED));
        }
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let stored: Vec<(String, String)> = serde_json::from_str(&kept.headers).unwrap_or_default();
        for (name, value) in stored {
            if let Ok(name) = HeaderName::try_from(name) {
                headers.insert(name, quoted(&value));
            }
        }
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
        headers.insert(EXPIRES, quoted(&http_date(kept.expires)));
        let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
        Ok(Some(Answer { status, headers, body: kept.body }))
    }

    async fn new_order(&self, asked: &Asked) -> Result<Order, Problem> {
        json_only(asked, "application/json")?;
        let wanted: NewOrder<'_> = serde_json::from_slice(&asked.body).map_err(malformed)?;
        let mut faults = Faults::new();
        check_note(wanted.note.as_ref().map(|note| &*note.0), &mut faults);
        if wanted.lines.is_empty() {
            faults.push(("/lines".to_owned(), "must have at least 1 element".to_owned()));
        }
        if wanted.lines.len() > 50 {
            faults.push(("/lines".to_owned(), "must have at most 50 elements".to_owned()));
        }
        let mut products = Vec::with_capacity(wanted.lines.len());
        for (at, line) in wanted.lines.iter().enumerate() {
            let product = read_uuid(&line.product);
            products.push(product.unwrap_or(0));
            if product.is_none() {
                faults.push((format!("/lines/{at}/product"), "must be a UUID".to_owned()));
            }
            if line.quantity < 1 {
                faults.push((format!("/lines/{at}/quantity"), "must be at least 1".to_owned()));
            } else if line.quantity > 99 {
                faults.push((format!("/lines/{at}/quantity"), "must be at most 99".to_owned()));
            }
        }
        refuse(problem::INVALID, faults)?;
        let (caller, now) = (&asked.caller, asked.now);
        let prices = self.store.prices(&caller.tenant, &products).await?;
        let id = self.id(now);
        let mut lines = Vec::with_capacity(products.len());
        let (mut total, mut faults) = (0_i64, Faults::new());
        for (at, (line, price)) in wanted.lines.iter().zip(prices).enumerate() {
            let Some((price, currency)) = price else {
                let detail = "there is no such `Product`, or you may not see it";
                faults.push((format!("/lines/{at}/product"), detail.to_owned()));
                continue;
            };
            let (product, quantity) = (products[at], line.quantity);
            let amount = price.checked_mul(quantity);
            let sum = amount.and_then(|amount| total.checked_add(amount));
            let Some((amount, sum)) = amount.zip(sum) else {
                return Err(Problem::new(problem::INVALID));
            };
            total = sum;
            let id = self.id(now);
            lines.push(OrderLine { id, product, price, currency, quantity, amount });
        }
        refuse(problem::UNKNOWN, faults)?;
        let currency = one_currency(lines.iter().map(|line| line.currency));
        Ok(Order {
            id,
            version: 1,
            created_at: now,
            updated_at: now,
            shopper: Arc::clone(&caller.subject),
            total,
            currency: currency.ok_or_else(|| Problem::new(problem::INVALID))?,
            note: wanted.note.map(|note| note.0.into_owned()),
            status: "draft".to_owned(),
            lines,
        })
    }

    /// `PATCH /v1/orders/{id}`
    pub(super) async fn patch(&self, asked: &Asked, id: u128) -> Result<Answer, Problem> {
        json_only(asked, "application/merge-patch+json")?;
        let change = |mut order: Order| {
            if order.status != "draft" {
                return Err(Problem::new(problem::FORBIDDEN));
            }
            let patch: Patch<'_> = serde_json::from_slice(&asked.body).map_err(malformed)?;
            let mut faults = Faults::new();
            if let Some(note) = patch.note {
                check_note(note.as_ref().map(|note| &*note.0), &mut faults);
                order.note = note.map(|note| note.0.into_owned());
            }
            refuse(problem::INVALID, faults)?;
            Ok(What::Note(order))
        };
        self.change(asked, id, &change).await
    }

    /// `POST /v1/orders/{id}/place`
    pub(super) async fn place(&self, asked: &Asked, id: u128) -> Result<Answer, Problem> {
        let change = |mut order: Order| {
            if order.status != "draft" {
                let detail =
                    format!("`place` needs `status` to be `draft`, and it is `{}`", order.status);
                let allowed: &[&str] = match &*order.status {
                    "placed" => &["paid", "cancelled"],
                    "paid" => &["shipped"],
                    _ => &[],
                };
                let problem = Problem::new(problem::ILLEGAL).member("detail", detail.into());
                let problem = problem.member("field", "status".into());
                let problem = problem.member("from", (&*order.status).into());
                return Err(problem
                    .member("to", "placed".into())
                    .member("allowed", json!(allowed)));
            }
            order.status = "placed".to_owned();
            let (trace, span) = ((self.random(), self.random()), self.random());
            let trace = format!("00-{:016x}{:016x}-{span:016x}-00", trace.0, trace.1);
            let event = Event { id: self.id(asked.now), data: order.placed(), trace };
            Ok(What::Place(order, event))
        };
        self.change(asked, id, &change).await
    }

    /// Reads an order of the caller, changes it, commits: again where another was faster and the
    /// caller named no version.
    async fn change(
        &self,
        asked: &Asked,
        id: u128,
        change: &dyn Fn(Order) -> Result<What, Problem>,
    ) -> Result<Answer, Problem> {
        let tenant = &asked.caller.tenant;
        for _ in 0..ATTEMPTS_MAX {
            let order = self.store.order(tenant, id).await?;
            let own = asked.caller.actor == Actor::Shopper;
            let order = order.filter(|order| !own || order.shopper == asked.caller.subject);
            let mut order = order.ok_or_else(|| Problem::new(problem::NOT_FOUND))?;
            if !own {
                return Err(Problem::new(problem::FORBIDDEN));
            }
            let conditional = asked.matches(order.version)?;
            order.version += 1;
            order.updated_at = asked.now.max(order.updated_at);
            let what = change(order)?;
            let (What::Create(order) | What::Note(order) | What::Place(order, _)) = &what;
            let answer = Asked::written(StatusCode::OK, order.version, order.body(), []);
            let tenant = Arc::clone(tenant);
            let change = Change { tenant, now: asked.now, what, kept: None };
            match self.store.commit(change).await {
                Outcome::Done => return Ok(answer),
                Outcome::Conflict if conditional => return Err(Problem::new(problem::CHANGED)),
                Outcome::Conflict => {}
                Outcome::Answered | Outcome::Broken => break,
            }
        }
        Err(Problem::new(problem::UNAVAILABLE))
    }
}

fn json_only(asked: &Asked, form: &str) -> Result<(), Problem> {
    let sent = asked.head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    match sent.and_then(|sent| sent.split(';').next()).is_some_and(|sent| sent.trim() == form) {
        true => Ok(()),
        false => Err(Problem::new(problem::MALFORMED)),
    }
}

fn malformed(_: serde_json::Error) -> Problem {
    Problem::new(problem::MALFORMED)
}

fn keep(key: &Key, answer: &Answer, now: i64) -> Kept {
    let text = |name: &HeaderName| {
        let value = answer.headers.get(name).and_then(|value| value.to_str().ok());
        [name.as_str().to_owned(), value.unwrap_or_default().to_owned()]
    };
    let headers = [text(&LOCATION), text(&ETAG)];
    Kept {
        scope: key.scope,
        fingerprint: key.fingerprint,
        status: answer.status.as_u16(),
        headers: serde_json::to_string(&headers).unwrap_or_default(),
        body: answer.body.clone(),
        expires: now + KEPT_MICROS,
    }
}

/// RFC 9110, 5.6.7
fn http_date(micros: i64) -> String {
    let mut text = Vec::with_capacity(32);
    super::json::timestamp(&mut text, micros - micros.rem_euclid(1_000_000));
    let text = String::from_utf8(text).unwrap_or_default();
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let day = usize::try_from(micros.div_euclid(86_400_000_000).rem_euclid(7)).unwrap_or(0);
    let month = text[5..7].parse::<usize>().unwrap_or(1) - 1;
    let (year, of_month, clock) = (&text[..4], &text[8..10], &text[11..19]);
    format!("{}, {of_month} {} {year} {clock} GMT", DAYS[day], MONTHS[month])
}
