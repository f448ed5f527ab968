//! Either store, as the requests see it.

use super::json::{self, Head, Line};
use super::order::{Change, Kept, Order, Outcome};
use super::{postgres, sqlite};

/// Ten-thousandths and currency.
pub(crate) type Price = (i64, [u8; 3]);

/// What of an order is shown, and to whom.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish<'a> {
    /// Bits of [`json`].
    pub(crate) members: u8,
    /// The shopper whose orders alone are seen.
    pub(crate) own: Option<&'a str>,
}

impl Wish<'_> {
    /// The row rule.
    pub(crate) fn sees(&self, shopper: &str) -> bool {
        self.own.is_none_or(|own| own == shopper)
    }
}

/// One order as JSON.
pub(crate) struct Shown {
    /// Its version.
    pub(crate) version: i64,
    /// Its representation.
    pub(crate) body: Vec<u8>,
}

/// A page that is asked for.
pub(crate) struct PageQuery<'a> {
    /// Whose.
    pub(crate) tenant: &'a str,
    /// What of each.
    pub(crate) wish: Wish<'a>,
    /// Rows at most.
    pub(crate) limit: i64,
    /// The id of the last row of the page before.
    pub(crate) before: u128,
}

/// A page of orders: `{"items":[…]` without its end.
pub(crate) struct Page {
    /// What is written.
    pub(crate) body: Vec<u8>,
    /// The last row.
    pub(crate) last: Option<u128>,
    /// There are further rows.
    pub(crate) more: bool,
    members: u8,
    lines: bool,
    left: i64,
    tail: Vec<u8>,
}

impl Page {
    /// Nothing yet.
    pub(crate) fn new(query: &PageQuery<'_>, lines: bool) -> Self {
        let mut body = Vec::with_capacity(if lines { 32_768 } else { 6_144 });
        body.extend_from_slice(b"{\"items\":[");
        let members = query.wish.members;
        Self { body, last: None, more: false, members, lines, left: query.limit, tail: Vec::new() }
    }

    /// True where a row is of another order than the one before.
    pub(crate) fn begins(&self, id: u128) -> bool {
        self.last != Some(id)
    }

    /// An order; false where the page is full.
    pub(crate) fn order(&mut self, head: &Head<'_>) -> bool {
        if self.left == 0 {
            self.more = true;
            return false;
        }
        self.left -= 1;
        self.finish();
        if self.last.is_some() {
            self.body.push(b',');
        }
        self.last = Some(head.id);
        json::open(&mut self.body, head, self.members);
        if self.lines {
            self.body.extend_from_slice(b",\"lines\":[");
            json::close(&mut self.tail, head, self.members);
        } else {
            json::close(&mut self.body, head, self.members);
        }
        true
    }

    /// A line of the order.
    pub(crate) fn line(&mut self, line: &Line<'_>) {
        json::line(&mut self.body, line);
        self.body.push(b',');
    }

    fn finish(&mut self) {
        if !self.lines || self.last.is_none() {
            return;
        }
        if self.body.last() == Some(&b',') {
            self.body.pop();
        }
        self.body.push(b']');
        self.body.append(&mut self.tail);
    }

    /// The end of the items.
    pub(crate) fn end(&mut self) {
        self.finish();
        self.body.push(b']');
    }
}

/// The store of one core.
pub(crate) enum Store {
    /// In process.
    Sqlite(Box<sqlite::Reader>, sqlite::Writer),
    /// A server.
    Postgres(postgres::Postgres),
}

/// A store that failed.
#[derive(Debug)]
pub(crate) struct Broken;

impl From<rusqlite::Error> for Broken {
    fn from(_: rusqlite::Error) -> Self {
        Self
    }
}

impl From<tokio_postgres::Error> for Broken {
    fn from(_: tokio_postgres::Error) -> Self {
        Self
    }
}

impl Store {
    /// One order as JSON.
    pub(crate) async fn show(
        &self,
        tenant: &str,
        id: u128,
        wish: Wish<'_>,
    ) -> Result<Option<Shown>, Broken> {
        match self {
            Self::Sqlite(reader, _) => Ok(reader.show(tenant, id, wish)?),
            Self::Postgres(postgres) => postgres.show(tenant, id, wish).await,
        }
    }

    /// A page of orders as JSON.
    pub(crate) async fn page(&self, query: &PageQuery<'_>) -> Result<Page, Broken> {
        match self {
            Self::Sqlite(reader, _) => Ok(reader.page(query)?),
            Self::Postgres(postgres) => postgres.page(query).await,
        }
    }

    /// One order as it is changed.
    pub(crate) async fn order(&self, tenant: &str, id: u128) -> Result<Option<Order>, Broken> {
        match self {
            Self::Sqlite(reader, _) => Ok(reader.order(tenant, id)?),
            Self::Postgres(postgres) => postgres.order(tenant, id).await,
        }
    }

    /// What products cost, in their order.
    pub(crate) async fn prices(
        &self,
        tenant: &str,
        products: &[u128],
    ) -> Result<Vec<Option<Price>>, Broken> {
        match self {
            Self::Sqlite(reader, _) => {
                products.iter().map(|id| Ok(reader.price(tenant, *id)?)).collect()
            }
            Self::Postgres(postgres) => postgres.prices(tenant, products).await,
        }
    }

    /// The answer of a key.
    pub(crate) async fn kept(
        &self,
        tenant: &str,
        scope: &[u8; 32],
        now: i64,
    ) -> Result<Option<Kept>, Broken> {
        match self {
            Self::Sqlite(reader, _) => Ok(reader.kept(scope, now)?),
            Self::Postgres(postgres) => postgres.kept(tenant, scope, now).await,
        }
    }

    /// One transaction, durable when it is answered.
    pub(crate) async fn commit(&self, change: Change) -> Outcome {
        match self {
            Self::Sqlite(_, writer) => writer.commit(change).await,
            Self::Postgres(postgres) => postgres.commit(&change).await,
        }
    }
}
