//! The statements that take rows out of a table and put them into one, in both dialects.

use super::dialect::{Dialect, quote};
use crate::ports::transfer::{Form, Holds, Plain, SYSTEM, Sheet};
use ir::schema::Schema;

/// A table of a place, as rows are read from it and written to it.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// Index of the sheet.
    pub(crate) sheet: usize,
    /// Quoted name of the table.
    pub(crate) table: String,
    /// Quoted column of the tenant, where the table has one.
    pub(crate) tenant: Option<String>,
    /// Quoted column by which rows follow each other.
    key: String,
    /// Quoted columns with their forms.
    columns: Vec<(String, Form)>,
    /// The log whose positions it has, or gives.
    log: Option<Log>,
    /// Keys that travel; all where there is none.
    only: &'static [&'static str],
    /// Quoted column by which a row is found on every store.
    found_by: String,
    /// Rows of the model, not Mainstay's own.
    rows: bool,
    /// What is there once never changes.
    fixed: bool,
}

/// How positions of a log travel: as ids of events, for each place counts its own.
#[derive(Debug, Clone)]
struct Log {
    /// Gives the id of the event at a position, or the last before it that is still there.
    id: String,
    /// Gives the position of an event up to the id and from there on.
    position: (String, &'static str),
    /// Beside the columns that travel: a column, and what gives it a value.
    gives: Option<(&'static str, Gives)>,
}

/// What a column that does not travel is given.
#[derive(Debug, Clone, Copy)]
enum Gives {
    /// This.
    Always(&'static str),
    /// The event itself whose position is asked for: it may lie in another place.
    Event,
}

impl Log {
    /// Of one of Mainstay's own tables.
    fn of(sheet: &str, table: &str) -> Option<Self> {
        let (outbox, number, next) = match table.starts_with("\"mainstay\".") {
            true => ("\"mainstay\".\"outbox\"", "\"number\"", Some(NEXT)),
            false => ("\"mainstay_outbox\"", "\"position\"", None),
        };
        let last = |of_one: &str| {
            format!(
                "(SELECT o.\"id\" FROM {outbox} o WHERE o.{number} <= {table}.\"position\"{of_one} \
                 ORDER BY o.{number} DESC LIMIT 1)"
            )
        };
        let (id, gives) = match sheet {
            "mainstay_outbox" => (String::new(), Some(("\"number\"", Gives::Always(next?)))),
            "mainstay_consumers" => {
                let moved = Some(("\"moved\"", Gives::Event));
                (format!("coalesce({}, {table}.\"moved\")", last("")), moved)
            }
            "mainstay_projections" => {
                let of_one = format!(" AND o.\"tenant\" IS NOT DISTINCT FROM {table}.\"tenant\"");
                (last(&of_one), None)
            }
            "mainstay_deliveries" => ("\"event_id\"".to_owned(), None),
            _ => return None,
        };
        // What is there no more was before everything that is.
        let position = format!("coalesce((SELECT o.{number} FROM {outbox} o WHERE o.\"id\" = ");
        Some(Self { id, position: (position, "), 0)"), gives })
    }
}

/// The column of a position.
const POSITION: &str = "\"position\"";
/// Gives the next number of a log.
const NEXT: &str = "nextval('\"mainstay\".\"outbox_number\"')";

impl Place {
    /// Of a sheet that lies in a table of that name.
    pub(crate) fn new(at: usize, sheet: &Sheet, schema: &Schema, table: String) -> Self {
        let columns = sheet.columns.iter().map(|(name, form)| (quote(name), *form)).collect();
        let (tenant, key, only) = match sheet.holds {
            Holds::Rows { table, .. } => (schema.tables[table].tenant.as_deref(), "id", &[][..]),
            Holds::System(at) => {
                let system = &SYSTEM[at];
                (system.tenant, system.key, system.only)
            }
        };
        let (tenant, key) = (tenant.map(quote), quote(key));
        let (found_by, fixed) = (quote(sheet.key()), sheet.name == "mainstay_audit");
        let rows = matches!(sheet.holds, Holds::Rows { .. });
        let log = Log::of(&sheet.name, &table).filter(|_| !rows);
        Self { sheet: at, table, tenant, key, columns, log, only, found_by, rows, fixed }
    }

    /// Cells of a row that is read: key, tenant (null where the table has none), columns.
    pub(crate) fn width(&self) -> usize {
        2 + self.columns.len()
    }

    /// Gives rows in the order of their keys: those of a tenant (a parameter), those behind a key
    /// (another parameter).
    pub(crate) fn page(
        &self,
        dialect: &dyn Dialect,
        of_one: bool,
        after: bool,
        rows: usize,
    ) -> String {
        let mut conditions = Vec::new();
        if let (true, Some(tenant)) = (of_one, &self.tenant) {
            conditions.push(format!("{tenant} = {}", dialect.placeholder(conditions.len() + 1)));
        }
        if after {
            conditions.push(format!(
                "{} > {}",
                self.key,
                dialect.placeholder(conditions.len() + 1)
            ));
        }
        if let Some(names) = self.only_these() {
            conditions.push(format!("{} IN ({names})", self.key));
        }
        let conditions = match conditions.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", conditions.join(" AND ")),
        };
        format!("{}{conditions} ORDER BY {} LIMIT {rows}", self.select(), self.key)
    }

    fn select(&self) -> String {
        let columns: String = self
            .columns
            .iter()
            .map(|(name, form)| match (form, &self.log) {
                (Form::Small, _) => format!(", CAST({name} AS bigint)"),
                (_, Some(log)) if name == POSITION => format!(", {} AS {name}", log.id),
                (Form::Stored(_) | Form::Bytes, _) => format!(", {name}"),
            })
            .collect();
        let tenant = self.tenant.as_deref().unwrap_or("NULL");
        format!("SELECT {}, {tenant}{columns} FROM {}", self.key, self.table)
    }

    /// Gives the rows of so many keys (parameters, behind the tenant where they are one's).
    pub(crate) fn by_keys(&self, dialect: &dyn Dialect, keys: usize) -> String {
        format!("{} WHERE {} ORDER BY {}", self.select(), self.of_keys(dialect, keys), self.key)
    }

    /// Gives the row of a key (a parameter), whosever it is.
    pub(crate) fn by_one_key(&self, dialect: &dyn Dialect) -> String {
        format!("{} WHERE {} = {}", self.select(), self.found_by, dialect.placeholder(1))
    }

    /// Deletes the rows of so many keys (parameters, behind the tenant where they are one's).
    pub(crate) fn remove(&self, dialect: &dyn Dialect, keys: usize) -> String {
        format!("DELETE FROM {} WHERE {}", self.table, self.of_keys(dialect, keys))
    }

    /// Keys are those of one tenant, named by the first parameter.
    pub(crate) fn names_tenant(&self) -> bool {
        self.rows && self.tenant.is_some()
    }

    /// Each row says whose it is, or that it is nobody's.
    pub(crate) fn names_all(&self) -> bool {
        !self.rows && self.tenant.is_some()
    }

    fn of_keys(&self, dialect: &dyn Dialect, keys: usize) -> String {
        let first = 1 + usize::from(self.names_tenant());
        let keys: Vec<_> = (first..first + keys).map(|at| dialect.placeholder(at)).collect();
        let of = match self.tenant.as_ref().filter(|_| self.rows) {
            Some(tenant) => format!("{tenant} = {} AND ", dialect.placeholder(1)),
            None => String::new(),
        };
        format!("{of}{} IN ({})", self.found_by, keys.join(", "))
    }

    /// Writes so many rows as [`Place::insert`] does; Mainstay's own that are there give way.
    pub(crate) fn upsert(&self, dialect: &dyn Dialect, rows: usize) -> String {
        let insert = self.insert(dialect, rows);
        if self.rows || self.is_partial() {
            return insert;
        }
        if self.fixed {
            return format!("{insert} ON CONFLICT ({}) DO NOTHING", self.found_by);
        }
        let names = self.tenant.iter().chain(self.columns.iter().map(|(name, _)| name));
        let names = names.filter(|name| **name != self.found_by);
        let moved = match self.log.as_ref().and_then(|log| log.gives) {
            Some((name, Gives::Event)) => Some(name),
            Some((_, Gives::Always(_))) | None => None,
        };
        let names = names.map(String::as_str).chain(moved);
        let set: Vec<_> = names.map(|name| format!("{name} = excluded.{name}")).collect();
        format!("{insert} ON CONFLICT ({}) DO UPDATE SET {}", self.found_by, set.join(", "))
    }

    /// Triggers called by a number that note in a table (sheet, key, tenant) which rows change.
    /// For SQLite.
    pub(crate) fn noting(&self, notes: &str) -> Vec<String> {
        let note = |of: &str| {
            let tenant = match &self.tenant {
                Some(tenant) => format!("{of}.{tenant}"),
                None => "NULL".to_owned(),
            };
            let (sheet, key) = (self.sheet, &self.found_by);
            format!("INSERT INTO {notes} VALUES (NULL, {sheet}, {of}.{key}, {tenant});")
        };
        let when = |of: &str| match self.only_these() {
            Some(names) => format!(" WHEN {of}.{} IN ({names})", self.key),
            None => String::new(),
        };
        let both = format!("{} {}", note("OLD"), note("NEW"));
        [("INSERT", "NEW", note("NEW")), ("UPDATE", "NEW", both), ("DELETE", "OLD", note("OLD"))]
            .into_iter()
            .map(|(change, of, run)| {
                let name = quote(&format!("{}_{}_{change}", notes.trim_matches('"'), self.sheet));
                let (table, when) = (&self.table, when(of));
                format!("CREATE TRIGGER {name} AFTER {change} ON {table}{when} BEGIN {run} END")
            })
            .collect()
    }

    /// Notes every row that is there. For SQLite.
    pub(crate) fn note_all(&self, notes: &str) -> String {
        let tenant = self.tenant.as_deref().unwrap_or("NULL");
        let only = self.only_these().map(|names| format!(" WHERE {} IN ({names})", self.key));
        format!(
            "INSERT INTO {notes} SELECT NULL, {}, {}, {tenant} FROM {}{} ORDER BY {}",
            self.sheet,
            self.found_by,
            self.table,
            only.unwrap_or_default(),
            self.key
        )
    }

    /// The keys that travel, as texts of SQL; none where all do.
    fn only_these(&self) -> Option<String> {
        let names: Vec<_> = self.only.iter().map(|name| format!("'{name}'")).collect();
        self.is_partial().then(|| names.join(", "))
    }

    /// Writes so many rows; parameters are the tenant, where the table has one, and the columns.
    /// A named value that is there gives way.
    pub(crate) fn insert(&self, dialect: &dyn Dialect, rows: usize) -> String {
        let width = self.parameters();
        let names = self.tenant.iter().chain(self.columns.iter().map(|(name, _)| name));
        let mut names: Vec<_> = names.cloned().collect();
        let value = |at: usize, name: &String| {
            let value = dialect.placeholder(at);
            match &self.log {
                Some(Log { position: (before, behind), .. }) if name == POSITION => {
                    format!("{before}{value}{behind}")
                }
                Some(_) | None => value,
            }
        };
        let given = self.log.as_ref().and_then(|log| log.gives);
        let row = |at: usize| {
            let named = names.iter().enumerate();
            let mut values: Vec<_> =
                named.map(|(column, name)| value(at * width + column + 1, name)).collect();
            let position = names.iter().position(|name| name == POSITION).unwrap_or_default();
            values.extend(given.map(|(_, gives)| match gives {
                Gives::Always(value) => value.to_owned(),
                Gives::Event => dialect.placeholder(at * width + position + 1),
            }));
            format!("({})", values.join(", "))
        };
        let rows: Vec<_> = (0..rows).map(row).collect();
        names.extend(given.map(|(name, _)| name.to_owned()));
        let conflict = match self.only.is_empty() {
            true => String::new(),
            false => {
                format!(" ON CONFLICT ({}) DO UPDATE SET \"value\" = excluded.\"value\"", self.key)
            }
        };
        format!(
            "INSERT INTO {} ({}) VALUES {}{conflict}",
            self.table,
            names.join(", "),
            rows.join(", ")
        )
    }

    /// Parameters of a row that is written.
    pub(crate) fn parameters(&self) -> usize {
        usize::from(self.tenant.is_some()) + self.columns.len()
    }

    /// Gives the least tenant, or the least behind one (a parameter).
    pub(crate) fn next_tenant(&self, dialect: &dyn Dialect, after: bool) -> Option<String> {
        let tenant = self.tenant.as_ref()?;
        let after = match after {
            true => format!(" WHERE {tenant} > {}", dialect.placeholder(1)),
            false => String::new(),
        };
        Some(format!("SELECT min({tenant}) FROM {}{after}", self.table))
    }

    /// Deletes the rows of a tenant (a parameter). In a system with tenants, answers of before
    /// they had one go too: whose they are is not known.
    pub(crate) fn erase(&self, dialect: &dyn Dialect) -> Option<String> {
        let tenant = self.tenant.as_ref()?;
        let unknown = match self.table.contains("idempotency") {
            true => format!(" OR {tenant} IS NULL"),
            false => String::new(),
        };
        let table = &self.table;
        Some(format!("DELETE FROM {table} WHERE {tenant} = {}{unknown}", dialect.placeholder(1)))
    }

    /// Gives a row where the tenant (a parameter) has one; where the table names none, where there
    /// is any.
    pub(crate) fn any(&self, dialect: &dyn Dialect, of_one: bool) -> String {
        let table = &self.table;
        match (of_one, &self.tenant) {
            (true, Some(tenant)) => {
                format!("SELECT 1 FROM {table} WHERE {tenant} = {} LIMIT 1", dialect.placeholder(1))
            }
            _ => format!("SELECT 1 FROM {table} LIMIT 1"),
        }
    }

    /// Rows that one statement may write.
    pub(crate) fn rows_at_once(&self, parameters_max: usize) -> usize {
        (parameters_max / self.parameters().max(1)).max(1)
    }

    /// Only some rows travel.
    pub(crate) fn is_partial(&self) -> bool {
        !self.only.is_empty()
    }
}

/// The text in a cell; none for anything else.
pub(crate) fn text(cell: &Plain) -> Option<&str> {
    match cell {
        Plain::Text(text) => Some(text),
        Plain::Null | Plain::Int(_) | Plain::Bytes(_) => None,
    }
}

/// Ids as they are written in answers.
pub(crate) fn hex(ids: &[u128]) -> Vec<String> {
    let text = |id: &u128| {
        let mut text = Vec::with_capacity(36);
        crate::json::write::uuid(&mut text, *id);
        String::from_utf8(text).unwrap_or_default()
    };
    ids.iter().map(text).collect()
}
