//! What the server is, as whom it is used, and the tables of the model in its database.
//!
//! Everything is made in one transaction under one advisory lock, so that any number of processes
//! may start at once. A login that stands above row-level security is used as a role that does
//! not. A place remembers its tables, and the models that it serves; to serve another it is
//! changed from outside (see `migrations`).

use super::address::Address;
use super::error::{OpenError, refused};
use super::link::{Link, Server};
use super::system;
use crate::adapters::sql::dialect::quote;
use crate::adapters::sql::journal::checksum;
use std::collections::BTreeSet;
use tokio_postgres::{Client, Error};

/// The role that rows are read and written as where the login would see those of every tenant.
pub(super) const ROLE: &str = "mainstay_rows";
/// The least server: `ON DELETE SET NULL (column)` and SQL bodies of functions.
const VERSION_MIN: i32 = 150_000;
/// Held by whoever makes or changes tables.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7881702189237301369)";

/// What a place of rows is to hold.
pub(super) struct Wanted {
    /// Under which name the place is remembered.
    pub(super) name: String,
    pub(super) ddl: Vec<String>,
    /// Schema and name of tables that somebody else makes.
    pub(super) theirs: Vec<(String, String)>,
    /// Its tables, as it will remember them.
    pub(super) tables: String,
    /// What the model is known by.
    pub(super) fingerprint: String,
    pub(super) now: i64,
}

/// What became of a place.
enum Found {
    /// It serves the model.
    Serves,
    /// It was made for another.
    Another,
    /// Tables of somebody else are in the way, a line each.
    InTheWay(Vec<String>),
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
                r.rolsuper OR r.rolbypassrls, current_setting('synchronous_standby_names') <> '', \
                pg_is_in_recovery(), to_regnamespace('mainstay') IS NOT NULL \
                  OR has_database_privilege(current_database(), 'CREATE'), \
                quote_ident(current_database()), quote_ident(session_user) \
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
        return Err(wrong(match row.get(6) {
            true => "takes no writes, it is a standby: name the primary".to_owned(),
            false => "takes no writes: `default_transaction_read_only` is on for the server, \
                      this database or this user; switch it off"
                .to_owned(),
        }));
    }
    if !row.get::<_, bool>(7) {
        let (database, user): (String, String) = (row.get(8), row.get(9));
        return Err(wrong(format!(
            "lets {user} make no schema in the database: its owner gives the right with `GRANT \
             CREATE ON DATABASE {database} TO {user}`"
        )));
    }
    let role = row.get::<_, bool>(4).then_some(ROLE);
    if role.is_some() {
        take_role(&client, &server.address).await.map_err(failed)?;
    }
    let (mut excludes_spans, mut indexes_words) = (true, true);
    for extension in ddl.iter().filter(|text| text.starts_with("CREATE EXTENSION")) {
        let name = extension.rsplit(' ').next().unwrap_or_default();
        let Err(error) = install(&client, extension).await else { continue };
        if !is_lacking(&error) {
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

/// True where the server does not have an extension.
pub(super) fn is_lacking(error: &Error) -> bool {
    error.code().is_some_and(|code| matches!(code.code(), "58P01" | "0A000"))
}

/// Two that install one at once would collide.
pub(super) async fn install(client: &Client, extension: &str) -> Result<(), Error> {
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
pub(super) async fn bring_up(link: &Link, shown: &str, wanted: &Wanted) -> Result<(), OpenError> {
    let failed = |error: Error| refused(shown, &error);
    link.plain("BEGIN").await.map_err(failed)?;
    let done = within(link, wanted).await;
    let ended = link.plain(if matches!(done, Ok(Found::Serves)) { "COMMIT" } else { "ROLLBACK" });
    let ended = ended.await;
    let (found, server) = (done.map_err(failed)?, shown.to_owned());
    ended.map_err(failed)?;
    match found {
        Found::Serves => Ok(()),
        Found::Another => Err(OpenError::Model { server }),
        Found::InTheWay(differences) => Err(OpenError::Schema { server, differences }),
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
    let own = checksum(&[system::SYSTEM_TABLES, system::FUNCTIONS].concat());
    let format = format!("{}:{own}", system::FORMAT);
    let there = link.query("SELECT to_regclass('mainstay.meta') IS NOT NULL", &[]).await?;
    let there = there.first().is_some_and(|row| row.get(0));
    if there && system::meta(link, "format").await?.as_ref() == Some(&format) {
        return Ok(());
    }
    link.plain(system::SYSTEM_TABLES).await?;
    link.plain(system::FUNCTIONS).await?;
    system::set_meta(link, "format", &format).await
}

async fn within(link: &Link, wanted: &Wanted) -> Result<Found, Error> {
    link.plain(LOCK).await?;
    system_tables(link).await?;
    let key = remembers(&wanted.name);
    if system::meta(link, &key).await?.is_some() {
        let serves = served(link, &wanted.name).await?;
        return Ok(match serves.contains(&wanted.fingerprint) {
            true => Found::Serves,
            false => Found::Another,
        });
    }
    let in_the_way = in_the_way(link, wanted).await?;
    if !in_the_way.is_empty() {
        return Ok(Found::InTheWay(in_the_way));
    }
    for text in wanted.ddl.iter().filter(|text| !text.starts_with("CREATE EXTENSION")) {
        link.plain(&lenient(text)).await?;
    }
    system::meta_or(link, "created", &wanted.now.to_string()).await?;
    forget(link, &wanted.name).await?;
    system::set_meta(link, &key, &wanted.tables).await?;
    serve(link, &wanted.name, std::slice::from_ref(&wanted.fingerprint)).await?;
    Ok(Found::Serves)
}

/// What is noted of a place of that name that is no more.
pub(super) async fn forget(link: &Link, name: &str) -> Result<(), Error> {
    let rows = link.query("SELECT to_regclass('mainstay.migrations') IS NOT NULL", &[]).await?;
    if rows.first().is_some_and(|row| row.get(0)) {
        let journal = "DELETE FROM \"mainstay\".\"migrations\" WHERE \"place\" = $1";
        link.execute(journal, &[&name]).await?;
    }
    let meta = "DELETE FROM \"mainstay\".\"meta\" WHERE \"name\" = ANY($1)";
    let all = ["schema", "serves"].map(|what| format!("{what} of {name}"));
    let all = all.into_iter().chain([format!("migrating {name}")]).collect::<Vec<_>>();
    link.execute(meta, &[&all]).await.map(|_| ())
}

/// Where a place remembers its tables.
pub(super) fn remembers(name: &str) -> String {
    format!("schema of {name}")
}

/// What the models that a place serves are known by, the newest last.
pub(super) async fn served(link: &Link, name: &str) -> Result<Vec<String>, Error> {
    let noted = system::meta(link, &format!("serves of {name}")).await?;
    Ok(noted.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}

/// Notes which models a place serves.
pub(super) async fn serve(link: &Link, name: &str, models: &[String]) -> Result<(), Error> {
    let text = serde_json::to_string(models).unwrap_or_default();
    system::set_meta(link, &format!("serves of {name}"), &text).await
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

/// Schemas that are to be made and have tables of somebody else.
async fn in_the_way(link: &Link, wanted: &Wanted) -> Result<Vec<String>, Error> {
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
            if wanted.theirs.iter().any(|(of, name)| of == schema && *name == table) {
                continue;
            }
            all.push(format!(
                "table `{schema}.{table}` is there already, and Mainstay did not make it"
            ));
        }
    }
    Ok(all)
}
