//! Statements of the port of webhooks, in both dialects, and what comes out of them.

use super::{Asked, Cell, Cells, POSTGRESQL, SQLITE, Tables, event_key, nullable, text, uuid};
use crate::ports::store::Tenant;
use crate::ports::webhooks::{Attempt, AttemptQuery, Endpoint, EndpointQuery, Signing};

/// Columns of an endpoint.
pub(crate) const ENDPOINT_COLUMNS: usize = 16;
/// Columns of an attempt.
pub(crate) const ATTEMPT_COLUMNS: usize = 10;
/// Endpoints that are read at once.
const ENDPOINTS_READ_MAX: i64 = 100_000;
/// Attempts that are forgotten with each that is kept.
const FORGOTTEN_ROWS_MAX: i64 = 20;

const ENDPOINT: &str = "\"id\", \"tenant\", \"owner\", \"actor\", \"url\", \"events\", \
    \"description\", \"signing\", \"secret\", \"previous\", \"previous_until\", \"state\", \
    \"reason\", \"failing\", \"created\", \"updated\"";
const ATTEMPT: &str = "\"id\", \"endpoint\", \"tenant\", \"event_id\", \"event\", \"at\", \
    \"status\", \"error\", \"took\", \"answer\"";

/// How a dialect names what the statements speak of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hooks {
    /// Those of consumers.
    pub(crate) events: Tables,
    pub(crate) endpoints: &'static str,
    pub(crate) attempts: &'static str,
}

/// As the files have them.
pub(crate) const SQLITE_HOOKS: Hooks = Hooks {
    events: SQLITE,
    endpoints: "\"mainstay_webhooks\"",
    attempts: "\"mainstay_webhook_attempts\"",
};

/// As databases have them.
pub(crate) const POSTGRESQL_HOOKS: Hooks = Hooks {
    events: POSTGRESQL,
    endpoints: "\"mainstay\".\"webhooks\"",
    attempts: "\"mainstay\".\"webhook_attempts\"",
};

impl Hooks {
    fn values(self, count: usize) -> String {
        let values: Vec<_> = (1..=count).map(|at| format!("{}{at}", self.events.sign)).collect();
        values.join(", ")
    }

    /// Endpoints, oldest first.
    pub(crate) fn find(self, query: &EndpointQuery) -> Asked<'_> {
        let mut asked =
            Asked::new(format!("SELECT {ENDPOINT} FROM {} WHERE 1 = 1", self.endpoints));
        self.of_tenant(&mut asked, query.tenant.as_ref());
        if let Some(id) = query.id {
            asked.term(self.events, " AND \"id\" =", uuid(id));
        }
        asked.term(self.events, " ORDER BY \"id\" LIMIT", Cell::Int(ENDPOINTS_READ_MAX));
        asked
    }

    fn of_tenant<'q>(self, asked: &mut Asked<'q>, tenant: Option<&'q Tenant>) {
        match tenant {
            Some(Some(tenant)) => asked.term(self.events, " AND \"tenant\" =", text(tenant)),
            Some(None) => asked.text.push_str(" AND \"tenant\" IS NULL"),
            None => {}
        }
    }

    /// How many endpoints a tenant has.
    pub(crate) fn count(self, tenant: &Tenant) -> Asked<'_> {
        let mut asked = Asked::new(format!("SELECT count(*) FROM {} WHERE 1 = 1", self.endpoints));
        self.of_tenant(&mut asked, Some(tenant));
        asked
    }

    /// Keeps a new endpoint; changes no row where there is one of that id.
    pub(crate) fn register(self, endpoint: &Endpoint) -> Asked<'_> {
        let values = self.values(ENDPOINT_COLUMNS);
        let text_of = format!(
            "INSERT INTO {} ({ENDPOINT}) VALUES ({values}) ON CONFLICT (\"id\") DO NOTHING",
            self.endpoints
        );
        Asked::with(text_of, endpoint_cells(endpoint))
    }

    /// Changes an endpoint; no row where it has changed meanwhile.
    pub(crate) fn change(self, endpoint: &Endpoint, updated: i64) -> Asked<'_> {
        let s = self.events.sign;
        let columns = ENDPOINT.split(", ").enumerate().skip(4);
        let set: Vec<_> = columns.map(|(at, name)| format!("{name} = {s}{}", at - 2)).collect();
        let text_of = format!(
            "UPDATE {} SET {} WHERE \"id\" = {s}1 AND \"updated\" = {s}{}",
            self.endpoints,
            set.join(", "),
            ENDPOINT_COLUMNS - 2
        );
        let mut cells = endpoint_cells(endpoint);
        // Tenant, owner and actor stay.
        cells.drain(1..4);
        cells.push(Cell::Int(updated));
        Asked::with(text_of, cells)
    }

    /// Deletes an endpoint and all that is kept of it; the endpoint itself last.
    pub(crate) fn remove(self, id: u128, consumer: &str) -> [Asked<'_>; 5] {
        let Self { events, endpoints, attempts } = self;
        let s = events.sign;
        let of = |table: &str| {
            let text_of = format!("DELETE FROM {table} WHERE \"consumer\" = {s}1");
            Asked::with(text_of, [text(consumer)])
        };
        let own = |table: &str, column: &str| {
            let text_of = format!("DELETE FROM {table} WHERE \"{column}\" = {s}1");
            Asked::with(text_of, [uuid(id)])
        };
        [
            of(events.consumers),
            of(events.inbox),
            of(events.deliveries),
            own(attempts, "endpoint"),
            own(endpoints, "id"),
        ]
        .map(|asked| Asked {
            text: asked.text,
            cells: asked.cells.into_iter().map(super::owned).collect(),
        })
    }

    /// Before an event is held again: that it was discarded once does not count any more.
    pub(crate) fn renew(self, consumer: &str, event: u128) -> Asked<'static> {
        let (inbox, s) = (self.events.inbox, self.events.sign);
        let cell = uuid(event_key(consumer, event));
        Asked::with(format!("DELETE FROM {inbox} WHERE \"id\" = {s}1"), [cell])
    }

    /// Keeps an attempt.
    pub(crate) fn note(self, attempt: &Attempt) -> Asked<'_> {
        let values = self.values(ATTEMPT_COLUMNS);
        let text_of = format!("INSERT INTO {} ({ATTEMPT}) VALUES ({values})", self.attempts);
        let maybe = |text_of: &Option<String>| {
            text_of.as_ref().map_or(Cell::Null, |text_of| Cell::Text(text_of.clone().into()))
        };
        let cells = [
            uuid(attempt.id),
            uuid(attempt.endpoint),
            nullable(&attempt.tenant),
            uuid(attempt.event),
            text(&attempt.name),
            Cell::Int(attempt.at),
            attempt.status.map_or(Cell::Null, |status| Cell::Int(status.into())),
            maybe(&attempt.error),
            Cell::Int(attempt.took),
            text(&attempt.answer),
        ];
        Asked::with(text_of, cells)
    }

    /// Forgets some attempts from before a time.
    pub(crate) fn forget(self, before: i64) -> Asked<'static> {
        let (Self { attempts, .. }, s) = (self, self.events.sign);
        let text_of = format!(
            "DELETE FROM {attempts} WHERE \"id\" IN (SELECT \"id\" FROM {attempts} WHERE \"at\" < \
             {s}1 ORDER BY \"at\" LIMIT {s}2)"
        );
        Asked::with(text_of, [Cell::Int(before), Cell::Int(FORGOTTEN_ROWS_MAX)])
    }

    /// A page of attempts, newest first.
    pub(crate) fn attempts<'q>(self, tenant: &'q Tenant, query: &AttemptQuery) -> Asked<'q> {
        let mut asked = Asked::new(format!("SELECT {ATTEMPT} FROM {} WHERE 1 = 1", self.attempts));
        asked.term(self.events, " AND \"endpoint\" =", uuid(query.endpoint));
        self.of_tenant(&mut asked, Some(tenant));
        if let Some(before) = query.before {
            asked.term(self.events, " AND \"id\" <", uuid(before));
        }
        asked.term(self.events, " ORDER BY \"id\" DESC LIMIT", Cell::Int(query.rows_max.into()));
        asked
    }
}

fn endpoint_cells(endpoint: &Endpoint) -> Vec<Cell<'_>> {
    let events = serde_json::to_string(&endpoint.events).unwrap_or_else(|_| "[]".to_owned());
    let (previous, until) = match &endpoint.previous {
        Some((previous, until)) => (text(previous), Cell::Int(*until)),
        None => (Cell::Null, Cell::Null),
    };
    vec![
        uuid(endpoint.id),
        nullable(&endpoint.tenant),
        text(&endpoint.owner),
        text(&endpoint.actor),
        text(&endpoint.url),
        Cell::Text(events.into()),
        text(&endpoint.description),
        text(endpoint.signing.name()),
        text(&endpoint.secret),
        previous,
        until,
        text(if endpoint.disabled { "disabled" } else { "active" }),
        endpoint.reason.as_deref().map_or(Cell::Null, text),
        endpoint.failing.map_or(Cell::Null, Cell::Int),
        Cell::Int(endpoint.created),
        Cell::Int(endpoint.updated),
    ]
}

/// A row of [`Hooks::find`].
pub(crate) fn endpoint(cells: &mut Cells<'_>) -> Option<Endpoint> {
    let id = cells.uuid()?;
    let tenant = cells.nullable()?.map(Into::into);
    let (owner, actor) = (cells.text()?.into(), cells.text()?.into());
    let url = cells.text()?.to_owned();
    let events = serde_json::from_str(cells.text()?).ok()?;
    let description = cells.text()?.to_owned();
    let signing = Signing::named(cells.text()?)?;
    let secret = cells.text()?.to_owned();
    let (previous, until) = (cells.nullable()?.map(str::to_owned), cells.maybe()?);
    Some(Endpoint {
        id,
        tenant,
        owner,
        actor,
        url,
        events,
        description,
        signing,
        secret,
        previous: previous.zip(until),
        disabled: cells.text()? == "disabled",
        reason: cells.nullable()?.map(str::to_owned),
        failing: cells.maybe()?,
        created: cells.int()?,
        updated: cells.int()?,
    })
}

/// A row of [`Hooks::attempts`].
pub(crate) fn attempt(cells: &mut Cells<'_>) -> Option<Attempt> {
    Some(Attempt {
        id: cells.uuid()?,
        endpoint: cells.uuid()?,
        tenant: cells.nullable()?.map(Into::into),
        event: cells.uuid()?,
        name: cells.text()?.to_owned(),
        at: cells.int()?,
        status: match cells.maybe()? {
            Some(status) => Some(u16::try_from(status).ok()?),
            None => None,
        },
        error: cells.nullable()?.map(str::to_owned),
        took: cells.int()?,
        answer: cells.text()?.to_owned(),
    })
}

impl Cells<'_> {
    /// A number, or none where the cell is empty.
    pub(super) fn maybe(&mut self) -> Option<Option<i64>> {
        use crate::adapters::sql::shape::Stored;
        match self.0.next()? {
            Stored::Int(n) => Some(Some(n)),
            Stored::Null => Some(None),
            Stored::Text(_) | Stored::Bytes(_) | Stored::Foreign => None,
        }
    }
}
