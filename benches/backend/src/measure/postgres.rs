//! PostgreSQL: a database for each server, filled once and copied by the server itself.

use super::{Place, Side, Sides, reference, up};
use crate::arguments::Measure;
use crate::cases::Case;
use crate::data::{Rows, TENANTS, shopper};
use crate::process::{Scratch, Server, free_address, parent, top};
use crate::table::progress;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// Rows of one statement.
const CHUNK: usize = 1_000;

/// Two databases that are dropped at the end.
pub(super) struct Databases {
    url: String,
    first: String,
    second: String,
}

fn failed(why: tokio_postgres::Error) -> String {
    let more = why.as_db_error().map(ToString::to_string).unwrap_or_default();
    format!("PostgreSQL: {why} {more}")
}

/// Does something on a connection of its own.
fn with<T>(
    url: &str,
    run: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>,
) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|why| why.to_string())?.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.map_err(failed)?;
        let serving = tokio::spawn(connection);
        let done = run(&client).await.map_err(failed);
        drop(client);
        // Its end is the end of the connection.
        let _ended = serving.await;
        done
    })
}

/// Runs statements on a connection of its own.
pub(crate) fn batch(url: &str, text: &str) -> Result<(), String> {
    with(url, async |client| client.batch_execute(text).await)
}

impl Databases {
    /// Names them.
    pub(super) fn make(url: &str) -> Result<Self, String> {
        let own = std::process::id();
        let (first, second) = (format!("bench_{own}_mainstay"), format!("bench_{own}_reference"));
        batch(url, &format!("CREATE DATABASE {first}"))?;
        Ok(Self { url: url.to_owned(), first, second })
    }

    /// The URL of another database of the server. Nothing is encrypted unless it is said: the
    /// reference cannot, and Mainstay by itself would where the server can.
    fn of(&self, name: &str) -> String {
        let (front, parameters) = self.url.split_once('?').unwrap_or((&self.url, ""));
        let parameters = match parameters {
            "" => "?sslmode=disable".to_owned(),
            said if said.contains("sslmode=") => format!("?{said}"),
            said => format!("?{said}&sslmode=disable"),
        };
        let scheme = front.find("://").map_or(0, |at| at + 3);
        let end = front[scheme..].find('/').map_or(front.len(), |at| scheme + at);
        format!("{}/{name}{parameters}", &front[..end])
    }

    /// Makes the tables, fills them, starts both servers.
    pub(super) fn start(
        &self,
        binary: &Path,
        scratch: &Scratch,
        rows: &Rows,
        arguments: &Measure,
    ) -> Result<Sides, String> {
        let data = scratch.0.join("postgres-mainstay");
        let log = scratch.0.join("log");
        let help = Command::new(binary).args(["up", "--help"]).output();
        let help = help.map_err(|why| why.to_string())?.stdout;
        let knows = String::from_utf8_lossy(&help).contains("--database");
        let (first, second) = (self.of(&self.first), self.of(&self.second));
        let address = free_address()?;
        let mut command = up(binary, scratch, &data, address)?;
        if knows {
            command.args(["--database", &first]);
        } else {
            progress("this Mainstay has no `--database`: the reference is measured alone");
            let path = top().join("examples/shop/architecture/schema/shop.postgresql.sql");
            let text = std::fs::read_to_string(path).map_err(|why| why.to_string())?;
            batch(&first, &text)?;
        }
        Server::start(command, address, &log)?.end()?;
        fill(&first, rows)?;
        batch(&self.url, &format!("CREATE DATABASE {} TEMPLATE {}", self.second, self.first))?;
        let backend = "SELECT pg_backend_pid()";
        let pid: i32 = with(&first, async |client| {
            client.query_one(backend, &[]).await.map(|row| row.get(0))
        })?;
        // The process of a connection that has just ended may be gone: another is asked for.
        let postmaster = with(&first, async |client| {
            let pid: i32 = client.query_one(backend, &[]).await?.get(0);
            Ok(parent(pid.unsigned_abs()))
        })?;
        let postmaster = postmaster.or_else(|| parent(pid.unsigned_abs())).unwrap_or(0);
        let side =
            |name, server, url| Side { name, server, place: Place::Postgres { url, postmaster } };
        let mut mainstay = None;
        if knows {
            let address = free_address()?;
            let mut command = up(binary, scratch, &data, address)?;
            command.args(["--database", &first]);
            let server = Server::start(command, address, Path::new("/dev/null"))?;
            mainstay = Some(side("Mainstay", server, first));
        }
        let address = free_address()?;
        let quiet = if !arguments.bare { Path::new("/dev/null") } else { &*log };
        let mut command = reference(&data, address, arguments)?;
        command.args(["--database", &second]);
        let server = Server::start(command, address, quiet)?;
        Ok(Sides { store: "postgres", mainstay, reference: side("reference", server, second) })
    }
}

impl Drop for Databases {
    fn drop(&mut self) {
        for name in [&self.first, &self.second] {
            // What could not be dropped is told by its name.
            if let Err(why) =
                batch(&self.url, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            {
                progress(&why);
            }
        }
    }
}

fn fill(url: &str, rows: &Rows) -> Result<(), String> {
    let mut texts = Vec::new();
    let uuid = crate::cases::uuid;
    let at = |micros: i64| format!("to_timestamp({micros}::numeric / 1000000)");
    let begin = rows.orders.first().map_or(0, |order| order.at);
    let products = rows.products.iter().enumerate().map(|(number, product)| {
        format!(
            "('{}','{}',1,{time},{time},'SKU-{number}','Product {number}',' product {number}',\
             {},'EUR',100000)",
            TENANTS[product.tenant],
            uuid(product.id),
            product.price,
            time = at(begin)
        )
    });
    let columns = "catalog.products (org, id, row_version, created_at, updated_at, sku, name, \
                   name_search, price, price_currency, stock)";
    insert(&mut texts, columns, products);
    let orders = rows.orders.iter().map(|order| {
        format!(
            "('{}','{}',1,{time},{time},'{}',{},'EUR',{},'{}')",
            TENANTS[order.tenant],
            uuid(order.id),
            shopper(order.shopper),
            rows.total(order),
            order.note.map_or("NULL".to_owned(), |note| format!("'{note}'")),
            order.status,
            time = at(order.at)
        )
    });
    let columns = "ordering.orders (org, id, row_version, created_at, updated_at, shopper, \
                   total, total_currency, note, status)";
    insert(&mut texts, columns, orders);
    let lines = rows.orders.iter().flat_map(|order| {
        order.lines.iter().enumerate().map(|(position, (line, product, many))| {
            let product = &rows.products[*product];
            format!(
                "('{}','{}','{}',{position},'{}',{},'EUR',{many},{},'EUR')",
                TENANTS[order.tenant],
                uuid(*line),
                uuid(order.id),
                uuid(product.id),
                product.price,
                product.price * many
            )
        })
    });
    let columns = "ordering.order_lines (org, id, order_id, position, product, price, \
                   price_currency, quantity, amount, amount_currency)";
    insert(&mut texts, columns, lines);
    with(url, async |client| {
        for text in &texts {
            client.batch_execute(text).await?;
        }
        client.batch_execute("VACUUM ANALYZE").await?;
        client.batch_execute("CHECKPOINT").await
    })
}

fn insert(texts: &mut Vec<String>, columns: &str, rows: impl Iterator<Item = String>) {
    let mut rows = rows.peekable();
    while rows.peek().is_some() {
        let mut text = format!("INSERT INTO {columns} VALUES ");
        for (at, row) in rows.by_ref().take(CHUNK).enumerate() {
            let _ = write!(text, "{}{row}", if at > 0 { "," } else { "" });
        }
        texts.push(text);
    }
}

/// Drafts are drafts again.
pub(super) fn settle(url: &str, case: Case) -> Result<(), String> {
    if case.versioned() {
        batch(url, "UPDATE ordering.orders SET status = 'draft' WHERE status = 'placed'")?;
        // Alone: it runs in no transaction.
        batch(url, "VACUUM ordering.orders")?;
    }
    batch(url, "CHECKPOINT")
}

/// The version of every order.
pub(super) fn versions(url: &str) -> Result<HashMap<u128, i64>, String> {
    let text = "SELECT replace(id::text, '-', ''), row_version FROM ordering.orders";
    let messages = with(url, async |client| client.simple_query(text).await)?;
    let read = |message: &SimpleQueryMessage| match message {
        SimpleQueryMessage::Row(row) => {
            let id = u128::from_str_radix(row.get(0)?, 16).ok()?;
            Some((id, row.get(1)?.parse().ok()?))
        }
        _ => None,
    };
    Ok(messages.iter().filter_map(read).collect())
}
