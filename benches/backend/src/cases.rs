//! What is measured: each case is a list of requests that the load repeats.

use crate::data::{Draw, Rows, SHOPPERS, TENANTS, shopper};
use crate::process::Server;
use crate::reference::token::Key;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;

/// Requests of a list, repeated from its beginning when it is used up.
const REQUESTS: usize = 20_000;
/// Stands for the version of the row, which the load counts up.
pub(crate) const VERSION: char = '\u{1}';
/// Stands for a text that no request had before.
pub(crate) const UNIQUE: char = '\u{2}';

/// A kind of request, or several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    /// One row without its lines.
    Get,
    /// The 20 newest orders of a tenant.
    List,
    /// The 20 after those.
    SecondPage,
    /// One row with its lines.
    Lines,
    /// A new order of two lines.
    Create,
    /// The same under an idempotency key.
    CreateKey,
    /// Another note, with `If-Match`.
    Patch,
    /// A command with `If-Match` and an event.
    Place,
    /// 45 gets, 25 lists, 20 with lines, 5 creates, 5 patches.
    Mix,
}

impl Case {
    /// All, in the order of the table.
    pub(crate) const ALL: [Self; 9] = [
        Self::Get,
        Self::List,
        Self::SecondPage,
        Self::Lines,
        Self::Create,
        Self::CreateKey,
        Self::Patch,
        Self::Place,
        Self::Mix,
    ];

    /// Its name in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::SecondPage => "second-page",
            Self::Lines => "lines",
            Self::Create => "create",
            Self::CreateKey => "create-key",
            Self::Patch => "patch",
            Self::Place => "place",
            Self::Mix => "mix",
        }
    }

    /// True where the requests say which version they mean.
    pub(crate) fn versioned(self) -> bool {
        matches!(self, Self::Patch | Self::Place | Self::Mix)
    }
}

/// Makes requests.
pub(crate) struct Requests<'a> {
    rows: &'a Rows,
    /// By tenant and shopper.
    tokens: Vec<Vec<String>>,
    /// By tenant.
    staff: Vec<String>,
}

impl<'a> Requests<'a> {
    /// Signs tokens for all callers.
    pub(crate) fn new(rows: &'a Rows, key: &Key, now: i64) -> Self {
        let seconds = now / 1_000_000;
        let of = |org: &&str| {
            let token = |number| key.token("shopper", &[], org, &shopper(number), seconds);
            (0..SHOPPERS).map(token).collect()
        };
        let staff = |org: &&str| key.token("staff", &["picker"], org, "sam", seconds);
        let tokens = TENANTS.iter().map(of).collect();
        Self { rows, tokens, staff: TENANTS.iter().map(staff).collect() }
    }

    /// The token of a shopper.
    pub(crate) fn shopper(&self, tenant: usize, number: u32) -> &str {
        &self.tokens[tenant][number as usize]
    }

    /// The token of a tenant's staff.
    pub(crate) fn staff(&self, tenant: usize) -> &str {
        &self.staff[tenant]
    }

    /// A body of two lines.
    pub(crate) fn new_order(&self, draw: &mut Draw, tenant: usize) -> String {
        let of_tenant: usize = self.rows.products.len() / TENANTS.len();
        let mut product = || {
            let at = tenant * of_tenant + draw.below(of_tenant);
            uuid(self.rows.products[at].id)
        };
        format!(
            "{{\"note\":\"ring twice\",\"lines\":[{{\"product\":\"{}\",\"quantity\":2}},\
             {{\"product\":\"{}\",\"quantity\":1}}]}}",
            product(),
            product()
        )
    }

    /// The list of a case for one server, as the load reads it.
    pub(crate) fn list(
        &self,
        case: Case,
        server: &Server,
        seed: u64,
        versions: &HashMap<u128, i64>,
    ) -> Result<String, String> {
        let mut draw = Draw(seed ^ 0x5eed);
        let mut cursors = Vec::new();
        if case == Case::SecondPage {
            for staff in &self.staff {
                let first = raw(server.address, "GET", "/v1/orders?limit=20", staff, &[], "");
                let body = server.ask(&first)?.body;
                let cursor = body
                    .split("\"next_cursor\":\"")
                    .nth(1)
                    .and_then(|rest| rest.split('"').next().map(str::to_owned));
                cursors.push(cursor.ok_or("the first page has no cursor")?);
            }
        }
        let orders = &self.rows.orders;
        let drafts: Vec<usize> =
            (0..orders.len()).filter(|at| orders[*at].status == "draft").collect();
        let mut left = shuffled(&drafts, &mut draw);
        let many = match case {
            Case::Place => left.len(),
            Case::Patch => left.len().min(REQUESTS),
            _ => REQUESTS,
        };
        let mut out = String::with_capacity(many * 720);
        for number in 0..many {
            let kind = match case {
                Case::Mix => match draw.below(100) {
                    0..45 => Case::Get,
                    45..70 => Case::List,
                    70..90 => Case::Lines,
                    90..95 => Case::Create,
                    _ => Case::Patch,
                },
                case => case,
            };
            if number > 0 {
                out.push('\u{1e}');
            }
            let own = if kind.versioned() { left.pop() } else { None };
            if kind.versioned() && own.is_none() {
                return Err("there are too few drafts: raise `--orders`".to_owned());
            }
            self.request(&mut out, kind, server.address, &mut draw, own, &cursors, versions);
        }
        Ok(out)
    }

    #[expect(clippy::too_many_arguments, reason = "one call, and nothing of it is kept")]
    fn request(
        &self,
        out: &mut String,
        kind: Case,
        to: SocketAddr,
        draw: &mut Draw,
        own: Option<usize>,
        cursors: &[String],
        versions: &HashMap<u128, i64>,
    ) {
        let at = own.unwrap_or_else(|| draw.below(self.rows.orders.len()));
        let order = &self.rows.orders[at];
        let (tenant, id) = (order.tenant, uuid(order.id));
        let (token, staff) = (self.shopper(tenant, order.shopper), self.staff(tenant));
        let json = ("Content-Type", "application/json".to_owned());
        let patch = ("Content-Type", "application/merge-patch+json".to_owned());
        let if_match = ("If-Match", format!("\"{VERSION}.0000000000000000\""));
        let key = ("Idempotency-Key", format!("{UNIQUE}"));
        let text = match kind {
            Case::Get => {
                let fields = "shopper,total,note,status,created_at,updated_at";
                raw(to, "GET", &format!("/v1/orders/{id}?fields={fields}"), token, &[], "")
            }
            Case::Lines => raw(to, "GET", &format!("/v1/orders/{id}"), token, &[], ""),
            Case::List => raw(to, "GET", "/v1/orders?limit=20", staff, &[], ""),
            Case::SecondPage => {
                let path = format!("/v1/orders?limit=20&cursor={}", cursors[tenant]);
                raw(to, "GET", &path, staff, &[], "")
            }
            Case::Create | Case::CreateKey | Case::Mix => {
                let body = self.new_order(draw, tenant);
                let more: &[_] = if kind == Case::CreateKey { &[json, key] } else { &[json] };
                raw(to, "POST", "/v1/orders", token, more, &body)
            }
            Case::Patch => {
                let body = format!("{{\"note\":\"ring {} times\"}}", draw.below(100));
                let path = format!("/v1/orders/{id}");
                raw(to, "PATCH", &path, token, &[patch, if_match], &body)
            }
            Case::Place => {
                let path = format!("/v1/orders/{id}/place");
                raw(to, "POST", &path, token, &[if_match], "")
            }
        };
        if kind.versioned() {
            let _ = write!(out, "{}\u{1d}", versions.get(&order.id).copied().unwrap_or(1));
        }
        out.push_str(&text);
    }
}

fn shuffled(all: &[usize], draw: &mut Draw) -> Vec<usize> {
    let mut all = all.to_vec();
    for at in (1..all.len()).rev() {
        all.swap(at, draw.below(at + 1));
    }
    all
}

/// A UUID as text.
pub(crate) fn uuid(id: u128) -> String {
    let hex = format!("{id:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// A request as it goes over the wire.
pub(crate) fn raw(
    to: SocketAddr,
    method: &str,
    path: &str,
    token: &str,
    headers: &[(&str, String)],
    body: &str,
) -> String {
    let mut out = format!("{method} {path} HTTP/1.1\r\nHost: {to}\r\n");
    if !token.is_empty() {
        let _ = write!(out, "Authorization: Bearer {token}\r\n");
    }
    for (name, value) in headers {
        let _ = write!(out, "{name}: {value}\r\n");
    }
    if method != "GET" {
        let _ = write!(out, "Content-Length: {}\r\n", body.len());
    }
    out.push_str("\r\n");
    out.push_str(body);
    out
}
