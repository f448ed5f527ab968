//! What the server is, as whom it is used, and the tables of the model in its database.
//!
//! Everything is made in one transaction under one advisory lock, so that any number of processes
//! may start at once. A login that stands above row-level security is used as a role that does
//! not. A place remembers the schema that it was made for; where the model has another one by now,
//! what only adds is carried out, and anything else refused.

mod changes;

use super::address::Address;
use super::error::{OpenError, refused};
use super::link::{Link, Server};
use super::system;
use crate::adapters::sql::dialect::quote;
use crate::adapters::sql::differences::{Change, differences, remembered};
use ir::schema::Schema;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use tokio_postgres::{Client, Error};

/// The role that rows are read and written as where the login would see those of every tenant.
pub(super) const ROLE: &str = "mainstay_rows";
/// The least server: `ON DELETE SET NULL (column)` and SQL bodies of functions.
const VERSION_MIN: i32 = 150_000;
/// Held by whoever makes or changes tables.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7881702189237301369)";

/// What a place of rows is to hold.
pub(super) struct Wanted<'a> {
    pub(super) schema: &'a Schema,
    /// Its tables by their names on SQLite, with those that its statements have.
    pub(super) tables: BTreeMap<String, String>,
    /// Under which name the place is remembered.
    pub(super) name: String,
    pub(super) ddl: Vec<String>,
    pub(super) now: i64,
}

impl Wanted<'_> {
    fn name_of(&self, table: &str) -> String {
        self.tables.get(table).cloned().unwrap_or_default()
    }

    /// The statements that make a table and what is on it.
    fn statements_of<'w>(&'w self, table: &'w str) -> impl Iterator<Item = &'w str> {
        self.ddl.iter().filter(|text| self.is_of(text, table)).map(String::as_str)
    }

    fn is_of(&self, text: &str, table: &str) -> bool {
        let name = self.name_of(table);
        let makes = [format!("CREATE TABLE {name} ("), format!("ALTER TABLE {name} ")];
        let on = [format!(" ON {name} "), format!(" ON {name}\n")];
        makes.iter().any(|start| text.starts_with(start))
            || (!text.starts_with("CREATE TABLE") && on.iter().any(|on| text.contains(on)))
    }

    /// The definition of a column, as the statement that makes its table has it.
    fn column(&self, table: &str, column: &str) -> String {
        let start = format!("{} ", quote(column));
        let makes = self.statements_of(table).find(|text| text.starts_with("CREATE TABLE"));
        let lines = makes.unwrap_or_default().lines().map(|line| line.trim().trim_end_matches(','));
        lines.into_iter().find(|line| line.starts_with(&start)).unwrap_or_default().to_owned()
    }
}

/// What the server says of itself and of who logs in.
pub(super) struct Facts {
    /// The role to take.
    pub(super) role: Option<&'static str>,
    /// A commit waits for other servers, and may be cut off in that wait.
    pub(super) waits_for_standbys: bool,
    /// It has what exclusion constraints over spans need.
    pub(super) excludes_spans: bool,
    /// It has what indexes over words within a text need.
    pub(super) indexes_words: bool,
}

/// Looks at the server, and makes the role where the login is above row-level security.
pub(super) async fn look(server: &Server, ddl: &[String]) -> Result<Facts, OpenError> {
    let shown = server.address.shown();
    let failed = |error: Error| refused(&shown, &error);
    let client = server.client().await.map_err(failed)?;
    let text = "SELECT current_setting('server_version_num')::int, \
                current_setting('server_version'), current_setting('server_encoding'), \
                current_setting('transaction_read_only') = 'on' OR pg_is_in_recovery(), \
                r.rolsuper OR r.rolbypassrls, current_setting('synchronous_standby_names') <> '' \
                FROM pg_roles r WHERE r.rolname = session_user";
    let row = client.query_one(text, &[]).await.map_err(failed)?;
    let wrong = |fault: String| OpenError::Server { server: shown.clone(), fault };
    let (version, name): (i32, String) = (row.get(0), row.get(1));
    if version < VERSION_MIN {
        return Err(wrong(format!("is PostgreSQL {name}: version 15 or later is needed")));
    }
    let encoding: String = row.get(2);
    if encoding != "UTF8" {
        return Err(wrong(format!(
            "stores text as {encoding}: make the database with `createdb --encoding=UTF8 \
             --template=template0`"
        )));
    }
    if row.get(3) {
        return Err(wrong("takes no writes: is it a standby? Name the primary".to_owned()));
    }
    let role = row.get::<_, bool>(4).then_some(ROLE);
    if role.is_some() {
        take_role(&client, &server.address).await.map_err(failed)?;
    }
    let (mut excludes_spans, mut indexes_words) = (true, true);
    for extension in ddl.iter().filter(|text| text.starts_with("CREATE EXTENSION")) {
        let name = extension.rsplit(' ').next().unwrap_or_default();
        let Err(error) = install(&client, extension).await else { continue };
        if !error.code().is_some_and(|code| matches!(code.code(), "58P01" | "0A000")) {
            return Err(failed(error));
        }
        client.batch_execute("ROLLBACK").await.map_err(failed)?;
        excludes_spans &= name != "btree_gist";
        indexes_words &= name != "pg_trgm";
        tracing::warn!(
            "{shown} lacks the extension `{name}` (Debian: `postgresql-contrib`): what it does \
             fast is done slowly"
        );
    }
    Ok(Facts { role, waits_for_standbys: row.get(5), excludes_spans, indexes_words })
}

/// Two that install one at once would collide.
async fn install(client: &Client, extension: &str) -> Result<(), Error> {
    client.batch_execute(&format!("BEGIN; {LOCK}; {extension}; COMMIT")).await
}

async fn take_role(client: &Client, address: &Address) -> Result<(), Error> {
    let (role, database) = (quote(ROLE), quote(address.name()));
    let text = format!(
        "BEGIN; {LOCK}; \
         DO $$ BEGIN CREATE ROLE {role} NOLOGIN NOBYPASSRLS; \
         EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$; \
         GRANT CREATE, TEMPORARY ON DATABASE {database} TO {role}; COMMIT"
    );
    let granted = client
        .query_one("SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = $1)", &[&ROLE])
        .await?
        .get::<_, bool>(0)
        && client
            .query_one("SELECT has_database_privilege($1, current_database(), 'CREATE')", &[&ROLE])
            .await?
            .get(0);
    match granted {
        true => Ok(()),
        false => client.batch_execute(&text).await,
    }
}

/// Makes a database beside the one of a server; another process may do so at the same time.
pub(super) async fn make_database(server: &Server, name: &str) -> Result<(), OpenError> {
    let shown = server.address.shown();
    let failed = |error: Error| refused(&shown, &error);
    let client = server.client().await.map_err(failed)?;
    let there = "SELECT 1 FROM pg_catalog.pg_database WHERE datname = $1";
    if !client.query(there, &[&name]).await.map_err(failed)?.is_empty() {
        return Ok(());
    }
    let text = format!("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'", quote(name));
    match client.batch_execute(&text).await {
        Err(error) if matches!(error.code().map(|code| code.code()), Some("42P04" | "23505")) => {
            Ok(())
        }
        made => made.map_err(failed),
    }
}

/// Makes the tables of a place, or finds them as they are to be.
pub(super) async fn bring_up(
    link: &Link,
    shown: &str,
    wanted: &Wanted<'_>,
) -> Result<(), OpenError> {
    let failed = |error: Error| refused(shown, &error);
    link.plain("BEGIN").await.map_err(failed)?;
    let done = within(link, wanted).await;
    let fine = matches!(&done, Ok(differences) if differences.is_empty());
    let ended = link.plain(if fine { "COMMIT" } else { "ROLLBACK" }).await;
    let differences = done.map_err(failed)?;
    ended.map_err(failed)?;
    match differences.is_empty() {
        true => Ok(()),
        false => Err(OpenError::Schema { server: shown.to_owned(), differences }),
    }
}

/// Mainstay's own tables alone.
pub(super) async fn bring_up_system(link: &Link) -> Result<(), Error> {
    link.plain(&format!("BEGIN; {LOCK}")).await?;
    let made = system_tables(link).await;
    link.plain(if made.is_ok() { "COMMIT" } else { "ROLLBACK" }).await?;
    made
}

async fn system_tables(link: &Link) -> Result<(), Error> {
    let format = format!("{}:{}", system::FORMAT, digest(system::FUNCTIONS));
    let there = link.query("SELECT to_regclass('mainstay.meta') IS NOT NULL", &[]).await?;
    let there = there.first().is_some_and(|row| row.get(0));
    if there && system::meta(link, "format").await?.as_ref() == Some(&format) {
        return Ok(());
    }
    link.plain(system::SYSTEM_TABLES).await?;
    link.plain(system::FUNCTIONS).await?;
    system::set_meta(link, "format", &format).await
}

async fn within(link: &Link, wanted: &Wanted<'_>) -> Result<Vec<String>, Error> {
    link.plain(LOCK).await?;
    system_tables(link).await?;
    let present = remembered(wanted.schema, &|name| wanted.tables.contains_key(name));
    let (key, fingerprint) = (format!("schema of {}", wanted.name), digest(&present.to_string()));
    let before = system::meta(link, &key).await?;
    if let Some(before) = before.and_then(|text| serde_json::from_str::<Json>(&text).ok()) {
        if digest(&before.to_string()) == fingerprint {
            return Ok(Vec::new());
        }
        let refused = match changes::extend(link, wanted, &before, &present).await {
            Err(error) => match changes::unbearable(&error, &before, &present) {
                Some(refused) => refused,
                None => return Err(error),
            },
            Ok(refused) => refused,
        };
        if refused.is_empty() {
            system::set_meta(link, &key, &present.to_string()).await?;
        }
        return Ok(refused);
    }
    let in_the_way = in_the_way(link, wanted).await?;
    if !in_the_way.is_empty() {
        return Ok(in_the_way);
    }
    for text in wanted.ddl.iter().filter(|text| !text.starts_with("CREATE EXTENSION")) {
        link.plain(&lenient(text)).await?;
    }
    system::meta_or(link, "created", &wanted.now.to_string()).await?;
    system::set_meta(link, &key, &present.to_string()).await?;
    Ok(Vec::new())
}

/// A statement that makes a table without what needs `btree_gist`.
pub(super) fn without_exclusions(text: &str) -> String {
    let excludes = |part: &&str| !part.trim_start().starts_with("EXCLUDE USING gist");
    match text.strip_suffix("\n)") {
        Some(body) if text.starts_with("CREATE TABLE") => {
            let parts: Vec<_> = body.split(",\n").filter(excludes).collect();
            format!("{}\n)", parts.join(",\n"))
        }
        Some(_) | None => text.to_owned(),
    }
}

/// A schema may be there, empty.
fn lenient(text: &str) -> String {
    text.replace("CREATE SCHEMA \"", "CREATE SCHEMA IF NOT EXISTS \"")
}

fn digest(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Schemas that are to be made and have tables of somebody else.
async fn in_the_way(link: &Link, wanted: &Wanted<'_>) -> Result<Vec<String>, Error> {
    let schemas: BTreeSet<&str> = wanted
        .ddl
        .iter()
        .filter_map(|text| text.trim_end_matches(';').strip_prefix("CREATE SCHEMA "))
        .map(|name| name.trim_matches('"'))
        .collect();
    let mut all = Vec::new();
    for schema in schemas {
        let text = "SELECT tablename::text FROM pg_catalog.pg_tables WHERE schemaname = $1 \
                    ORDER BY tablename LIMIT 20";
        for row in link.query(text, &[&schema]).await? {
            let table: String = row.try_get(0)?;
            all.push(format!(
                "table `{schema}.{table}` is there already, and Mainstay did not make it"
            ));
        }
    }
    Ok(all)
}

/// The differences in words.
fn told(before: &Json, present: &Json) -> Vec<String> {
    let mut all: Vec<String> = differences(before, present)
        .into_iter()
        .flat_map(|change| match change {
            Change::Refused { why, .. } => vec![why],
            Change::Dropped { table } => vec![format!("table `{table}` is in no model")],
            Change::Rebuilt { table, empty_only, .. } if empty_only.is_empty() => {
                vec![format!("table `{table}` has other columns or constraints")]
            }
            Change::Rebuilt { empty_only, .. } => empty_only,
        })
        .collect();
    let tables = present.as_object().map(|tables| tables.keys()).into_iter().flatten();
    let new = tables.filter(|table| before.get(table.as_str()).is_none());
    all.extend(new.map(|table| format!("table `{table}` is new")));
    if all.is_empty() {
        all.push("unique keys or indexes are others".to_owned());
    }
    all
}
