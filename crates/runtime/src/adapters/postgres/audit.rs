//! The audit trail in a database: entries appended by a function of the database as the last of a
//! set, so that the head of a chain is held for no longer than the commit takes; read in pages,
//! removed when their time is over, walked along by who proves it.

use super::base::{Base, Threads};
use super::cells::{Bound, Column};
use super::error::{OpenError, misshapen, refused};
use super::link::{Link, Parameter, Session};
use super::place::database_of;
use super::readers::Readers;
use super::{Address, PostgresLimits};
use crate::adapters::sql::shape::{Cell, Stored};
use crate::ports::audit::{
    BATCH_ENTRIES_MAX, Chain, Entry, Head, Kept, Query, SHARED, Verdict, Walk,
};
use crate::ports::store::Unavailable;
use tokio_postgres::{Error, Row};

/// Chains that one sweep shortens.
const SWEEP_CHAINS_MAX: i64 = 16;

/// Appends an entry; the head of its chain is held until the transaction ends.
pub(super) const APPEND: &str =
    "SELECT \"mainstay\".\"audit_append\"($1, $2, $3, $4, $5, $6, $7, $8)";

const SWEEP: &str = "SELECT \"mainstay\".\"audit_sweep\"($1, $2, $3)";
const HAS: &str = "SELECT 1 FROM \"mainstay\".\"audit\" WHERE \"chain\" = $1 AND \"id\" = $2";
const ENTRY: &str = "SELECT \"number\", \"id\", \"time\", \"who\", \"operation\", \"resource\", \
                     \"row_id\", \"body\", \"previous\", \"hash\" FROM \"mainstay\".\"audit\"";
const CHAINS: &str = "SELECT coalesce(c.\"chain\", e.\"chain\"), coalesce(c.\"number\", 0), \
    coalesce(c.\"hash\", ''), coalesce(c.\"removed\", 0), coalesce(c.\"removed_hash\", '') \
    FROM \"mainstay\".\"audit_chains\" c FULL JOIN \
    (SELECT DISTINCT \"chain\" FROM \"mainstay\".\"audit\") e ON e.\"chain\" = c.\"chain\" \
    ORDER BY 1";

/// The chain of an entry.
pub(super) fn chain_of<'a>(entry: &Entry, tenant: Option<&'a str>) -> &'a str {
    if entry.shared { SHARED } else { tenant.unwrap_or(SHARED) }
}

/// The entries of a set, those of one chain together and the chains in order: two sets never wait
/// for each other's heads.
pub(super) fn in_order<'a>(entries: &'a [Entry], tenant: Option<&str>) -> Vec<&'a Entry> {
    let mut all: Vec<&Entry> = entries.iter().collect();
    all.sort_by_key(|entry| chain_of(entry, tenant).to_owned());
    all
}

/// True where an entry is there.
pub(super) async fn has(
    readers: &Readers,
    session: &Session,
    entry: &Entry,
    tenant: Option<&str>,
) -> Result<bool, Unavailable> {
    let (chain, id) = (chain_of(entry, tenant), Bound(Cell::Uuid(entry.id.to_be_bytes())));
    Ok(!readers.read(session, HAS, &[&chain, &id]).await?.is_empty())
}

/// A page of a chain, newest first.
pub(super) async fn page(
    readers: &Readers,
    session: &Session,
    tenant: Option<&str>,
    query: &Query,
) -> Result<Vec<Kept>, Unavailable> {
    let mut text = format!("{ENTRY} WHERE \"chain\" = $1");
    let own = |text: &str| Bound(Cell::Text(text.to_owned().into()));
    let mut cells = vec![own(tenant.unwrap_or(SHARED))];
    let mut term = |start: &str, cell: Bound<'static>, end: &str| {
        cells.push(cell);
        text.push_str(&format!(" AND {start} ${}{end}", cells.len()));
    };
    if let Some(before) = query.before {
        term("\"id\" <", Bound(Cell::Uuid(before.to_be_bytes())), "");
    }
    if let Some(row) = query.row {
        term("\"row_id\" =", Bound(Cell::Uuid(row.to_be_bytes())), "");
    }
    if let Some(who) = &query.who {
        term("\"who\" =", own(who), "");
    }
    if let Some(operation) = &query.operation {
        term("\"operation\" =", own(operation), "");
    }
    if let Some(since) = query.since {
        term("\"time\" >=", Bound(Cell::Int(since)), "");
    }
    if let Some(until) = query.until {
        term("\"time\" <", Bound(Cell::Int(until)), "");
    }
    let resources = serde_json::to_string(&query.resources).unwrap_or_default();
    term("\"resource\" IN (SELECT json_array_elements_text(", own(&resources), "::json))");
    text.push_str(&format!(" ORDER BY \"id\" DESC LIMIT {}", query.rows_max));
    let parameters: Vec<Parameter<'_>> = cells.iter().map(|cell| cell as Parameter<'_>).collect();
    let rows = readers.read(session, &text, &parameters).await?;
    rows.iter().map(|row| kept(row).ok_or_else(|| misshapen("mainstay.audit"))).collect()
}

fn cell(row: &Row, at: usize) -> Stored<'_> {
    row.try_get::<_, Column<'_>>(at).map_or(Stored::Foreign, |cell| cell.0)
}

fn int(row: &Row, at: usize) -> Option<i64> {
    match cell(row, at) {
        Stored::Int(n) => Some(n),
        _ => None,
    }
}

fn text(row: &Row, at: usize) -> Option<String> {
    match cell(row, at) {
        Stored::Text(text) => Some(text.to_owned()),
        _ => None,
    }
}

fn bytes<const N: usize>(row: &Row, at: usize) -> Option<[u8; N]> {
    match cell(row, at) {
        Stored::Bytes(bytes) => bytes.try_into().ok(),
        _ => None,
    }
}

fn kept(row: &Row) -> Option<Kept> {
    Some(Kept {
        entry: Entry {
            id: bytes(row, 1).map(u128::from_be_bytes)?,
            shared: false,
            time: int(row, 2)?,
            who: text(row, 3)?,
            operation: text(row, 4)?,
            resource: text(row, 5)?,
            row: bytes(row, 6).map(u128::from_be_bytes),
            body: text(row, 7)?,
            write: None,
        },
        number: int(row, 0)?,
        previous: bytes(row, 8)?,
        hash: bytes(row, 9)?,
    })
}

/// Removes entries whose time is over, some at a time; true where there may be more.
pub(super) async fn sweep(link: &Link, now: i64, keep_seconds: u64) -> Result<bool, Error> {
    let keep = i64::try_from(keep_seconds.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
    if keep == i64::MAX {
        return Ok(false);
    }
    let before = Bound(Cell::Int(now.saturating_sub(keep)));
    let most = i64::try_from(BATCH_ENTRIES_MAX).unwrap_or(i64::MAX);
    let gone = link.query(SWEEP, &[&before, &most, &SWEEP_CHAINS_MAX]).await?;
    Ok(gone.first().is_some_and(|row| row.get::<_, i64>(0) > 0))
}

/// Walks along every chain of a database and of the databases of its tenants, also while backends
/// run on it: each database as it is at one moment. Not to be called within a runtime.
///
/// # Errors
/// Where a database can't be reached or read.
pub fn verify(address: Address, noted: &[Head]) -> Result<Vec<Verdict>, OpenError> {
    let threads = Threads::start()?;
    let verdicts = threads.wait(async {
        let home = open(address.clone(), &threads).await?;
        let mut verdicts = walk(&home, noted).await?;
        for tenant in tenants(&home).await? {
            let name = database_of(address.name(), &tenant);
            let base = open(address.database(&name), &threads).await?;
            verdicts.extend(walk(&base, noted).await?);
        }
        Ok(verdicts)
    });
    threads.stop();
    verdicts
}

async fn open(address: Address, threads: &Threads) -> Result<Base, OpenError> {
    let limits = PostgresLimits {
        read_connections_max: 1,
        write_connections_max: 1,
        ..PostgresLimits::default()
    };
    Base::open(address, threads.handle(), &[], &limits).await
}

/// Tenants that have a database each.
async fn tenants(home: &Base) -> Result<Vec<String>, OpenError> {
    let shown = home.server.address.shown();
    let failed = |error: Error| refused(&shown, &error);
    let link = home.server.connect().await.map_err(failed)?;
    if !has_table(&link, "mainstay.meta").await.map_err(failed)? {
        return Ok(Vec::new());
    }
    let own = "SELECT \"value\" FROM \"mainstay\".\"meta\" WHERE \"name\" LIKE 'tenant %' \
               ORDER BY 1";
    let rows = link.query(own, &[]).await.map_err(failed)?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

async fn has_table(link: &Link, name: &str) -> Result<bool, Error> {
    let rows = link.query("SELECT to_regclass($1) IS NOT NULL", &[&name]).await?;
    Ok(rows.first().is_some_and(|row| row.get(0)))
}

async fn walk(base: &Base, noted: &[Head]) -> Result<Vec<Verdict>, OpenError> {
    let shown = base.server.address.shown();
    let failed = |error: Error| refused(&shown, &error);
    let link = base.server.connect().await.map_err(failed)?;
    if !has_table(&link, "mainstay.audit_chains").await.map_err(failed)? {
        return Ok(Vec::new());
    }
    link.plain("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.map_err(failed)?;
    let mut verdicts = Vec::new();
    for row in link.query(CHAINS, &[]).await.map_err(failed)? {
        let name = text(&row, 0).unwrap_or_default();
        let chain = Chain {
            number: int(&row, 1).unwrap_or_default(),
            hash: bytes(&row, 2).unwrap_or_default(),
            removed: int(&row, 3).unwrap_or_default(),
            removed_hash: bytes(&row, 4).unwrap_or_default(),
            name,
        };
        let walked = along(&link, chain, noted).await.map_err(failed)?;
        verdicts.push(walked.end(base.server.address.name()));
    }
    link.plain("COMMIT").await.map_err(failed)?;
    Ok(verdicts)
}

async fn along(link: &Link, chain: Chain, noted: &[Head]) -> Result<Walk, Error> {
    let text = format!(
        "{ENTRY} WHERE \"chain\" = $1 AND \"number\" > $2 ORDER BY \"number\" \
         LIMIT {BATCH_ENTRIES_MAX}"
    );
    let (name, mut last) = (chain.name.clone(), i64::MIN);
    let mut walk = Walk::new(chain, noted);
    loop {
        let rows = link.query(&text, &[&name, &last]).await?;
        for kept in rows.iter().filter_map(kept) {
            last = kept.number;
            walk.step(&kept);
        }
        if rows.len() < BATCH_ENTRIES_MAX {
            return Ok(walk);
        }
    }
}
