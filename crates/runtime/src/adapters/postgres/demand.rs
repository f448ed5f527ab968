//! Tables that somebody else makes: what the catalogue says of them, before anything is made beside
//! them. They are read and written as the role that serves, so its rights are looked at too.

use super::error::{OpenError, refused};
use super::link::Link;
use super::place::Places;
use crate::adapters::sql::demand::{FoundColumn, FoundTable, Lack, Unmet, lacks};
use crate::adapters::sql::dialect::quote;
use ir::demand::{Demand, WantedColumn};
use ir::schema::{Check, Storage};
use tokio_postgres::Error;

/// What is done to rows.
const RIGHTS: [&str; 4] = ["SELECT", "INSERT", "UPDATE", "DELETE"];

const TABLE: &str = "SELECT c.oid, c.relkind = ANY('{r,p}'), \
    has_schema_privilege(n.oid, 'USAGE'), \
    array(SELECT r FROM unnest($3::text[]) r WHERE NOT has_table_privilege(c.oid, r)), \
    row_security_active(c.oid), quote_ident(current_user) \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind <> ALL('{i,I,S,t,c}')";

/// Collations that sort byte by byte have no name here.
const COLUMNS: &str = "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), \
    NOT a.attnotnull, a.atthasdef OR a.attidentity <> '', \
    a.attgenerated <> '' OR a.attidentity = 'a', \
    CASE WHEN l.collname <> 'default' \
           THEN CASE WHEN l.collcollate IN ('C', 'POSIX') THEN NULL ELSE l.collname::text END \
         WHEN d.datlocprovider = 'c' AND d.datcollate IN ('C', 'POSIX', 'C.UTF-8', 'C.utf8') \
           THEN NULL \
         ELSE d.datcollate END \
    FROM pg_catalog.pg_attribute a \
    JOIN pg_catalog.pg_database d ON d.datname = current_database() \
    LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation \
    WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped";

const UNIQUES: &str = "SELECT array(SELECT a.attname::text FROM unnest(i.indkey) WITH ORDINALITY \
    AS k(number, at) JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid \
    AND a.attnum = k.number WHERE k.at <= i.indnkeyatts) FROM pg_catalog.pg_index i \
    WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indimmediate \
    AND i.indpred IS NULL AND i.indexprs IS NULL AND NOT i.indnullsnotdistinct";

impl Places {
    /// Tables of somebody else must be as the model needs them; `warns` of what only weakens them.
    pub(super) async fn check_demands(&self, warns: bool) -> Result<(), OpenError> {
        let demands = &self.config.demands;
        if demands.is_empty() {
            return Ok(());
        }
        let shown = self.config.address.shown();
        let failed = |error: Error| refused(&shown, &error);
        let link = self.home.server.connect().await.map_err(failed)?;
        let mut all = Vec::new();
        for demand in demands {
            all.extend(look(&link, demand, warns).await.map_err(failed)?);
        }
        match all.is_empty() {
            true => Ok(()),
            false => Err(OpenError::Unmet(Unmet { place: shown, lacks: all })),
        }
    }
}

async fn look(link: &Link, demand: &Demand, warns: bool) -> Result<Vec<Lack>, Error> {
    let rights = &RIGHTS[..];
    let rows = link.query(TABLE, &[&demand.schema, &demand.name, &rights]).await?;
    let Some(row) = rows.first() else { return Ok(lacks(demand, None, fits)) };
    let oid: u32 = row.try_get(0)?;
    if !row.try_get::<_, bool>(1)? {
        let what = format!("`{}` is no table: a view or a foreign table", demand.shown());
        return Ok(vec![Lack { what, cure: Vec::new() }]);
    }
    let mut found = FoundTable::default();
    for row in link.query(COLUMNS, &[&oid]).await? {
        found.columns.push(FoundColumn {
            name: row.try_get(0)?,
            kind: row.try_get(1)?,
            nullable: row.try_get(2)?,
            optional: row.try_get(3)?,
            generated: row.try_get(4)?,
            collation: row.try_get(5)?,
        });
    }
    for row in link.query(UNIQUES, &[&oid]).await? {
        found.uniques.push(row.try_get(0)?);
    }
    let mut all = lacks(demand, Some(&found), fits);
    let (usage, denied, user): (bool, Vec<String>, String) =
        (row.try_get(2)?, row.try_get(3)?, row.try_get(5)?);
    all.extend(rights_lack(demand, usage, &denied, &user));
    if warns && !demand.policy.is_empty() && !row.try_get::<_, bool>(4)? {
        let (table, policy) = (demand.shown(), demand.policy.join("; "));
        tracing::warn!(
            "row-level security does not bind {user} on `{table}`, which is not Mainstay's: \
             tenants are held apart there by the conditions of its statements alone; whose it is \
             may run: {policy};"
        );
    }
    Ok(all)
}

fn rights_lack(demand: &Demand, usage: bool, denied: &[String], user: &str) -> Vec<Lack> {
    let mut all = Vec::new();
    if !usage {
        all.push(Lack {
            what: format!("{user} may not use the schema `{}`", demand.schema),
            cure: vec![format!("GRANT USAGE ON SCHEMA {} TO {user}", quote(&demand.schema))],
        });
    }
    if !denied.is_empty() {
        let rights = denied.join(", ");
        all.push(Lack {
            what: format!("{user} lacks rights to `{}`: {rights}", demand.shown()),
            cure: vec![format!("GRANT {rights} ON TABLE {} TO {user}", demand.quoted)],
        });
    }
    all
}

/// Types whose values travel as those of the type that we would have made.
fn fits(wanted: &WantedColumn, is: &FoundColumn) -> bool {
    let kind = is.kind.as_str();
    let text = kind == "text" || kind == "character varying";
    match wanted.storage {
        Storage::Uuid => kind == "uuid",
        Storage::Bool => kind == "boolean",
        Storage::Int => kind == "bigint" || (kind == "integer" && is_short(wanted)),
        Storage::Decimal { .. } | Storage::Units | Storage::Duration => kind == "bigint",
        Storage::Currency => kind == "character(3)" || text || letters(kind) >= Some(3),
        Storage::Text => text || letters(kind).is_some_and(|most| most >= longest(wanted)),
        Storage::Date => kind == "date",
        Storage::Time => kind == "time without time zone",
        Storage::Timestamp => kind == "timestamp with time zone",
        Storage::Json => kind == "json",
    }
}

/// The letters of `character varying(40)`.
fn letters(kind: &str) -> Option<i64> {
    kind.strip_prefix("character varying(")?.strip_suffix(')')?.parse().ok()
}

/// The letters that may come.
fn longest(wanted: &WantedColumn) -> i64 {
    match &wanted.check {
        Some(Check::Length { max: Some(max), .. }) => *max,
        Some(Check::OneOf(values)) => {
            let most = values.iter().map(|value| value.chars().count()).max();
            most.and_then(|most| i64::try_from(most).ok()).unwrap_or(i64::MAX)
        }
        Some(Check::Length { max: None, .. } | Check::Range { .. }) | None => i64::MAX,
    }
}

/// True where no number comes that four bytes do not hold.
fn is_short(wanted: &WantedColumn) -> bool {
    let short = |n: &i64| i32::try_from(*n).is_ok();
    matches!(&wanted.check, Some(Check::Range { min: Some(min), max: Some(max) })
        if short(min) && short(max))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(storage: Storage, check: Option<Check>, kind: &str) -> bool {
        let wanted = WantedColumn {
            name: String::new(),
            storage,
            kind: String::new(),
            nullable: false,
            check,
            sorted: false,
            add: Vec::new(),
            retype: None,
            renull: None,
        };
        fits(&wanted, &FoundColumn { kind: kind.to_owned(), ..FoundColumn::default() })
    }

    #[test]
    fn a_type_fits_where_it_holds_every_value_that_may_come() {
        let length = |max| Some(Check::Length { min: None, max });
        let range = |max| Some(Check::Range { min: Some(0), max });
        let one_of = || Some(Check::OneOf(vec!["open".to_owned(), "closed".to_owned()]));
        for (storage, check, kind, fine) in [
            (Storage::Text, length(Some(40)), "text", true),
            (Storage::Text, length(Some(40)), "character varying(40)", true),
            (Storage::Text, length(Some(40)), "character varying(39)", false),
            (Storage::Text, None, "character varying(39)", false),
            (Storage::Text, None, "character varying", true),
            (Storage::Text, one_of(), "character varying(6)", true),
            (Storage::Text, one_of(), "character varying(5)", false),
            (Storage::Text, None, "citext", false),
            (Storage::Int, range(Some(99)), "integer", true),
            (Storage::Int, range(None), "integer", false),
            (Storage::Int, range(Some(99)), "smallint", false),
            (Storage::Int, None, "bigint", true),
            (Storage::Units, None, "numeric(12,2)", false),
            (Storage::Timestamp, None, "timestamp without time zone", false),
            (Storage::Json, None, "jsonb", false),
            (Storage::Currency, None, "character varying(3)", true),
            (Storage::Currency, None, "character varying(2)", false),
        ] {
            assert_eq!(is(storage, check.clone(), kind), fine, "{storage:?} {check:?} in {kind}");
        }
    }
}
