//! What is asked of tables that somebody else makes, and the SQL that they may run for it.

use super::postgresql::{self, Place};
use super::{is_search, list, quoted, sqlite};
use ir::demand::{Demand, WantedColumn, WantedKey};
use ir::schema::{Column, Part, Schema, Storage, Table};

/// What tables in a file must have.
pub fn sqlite_demands(schema: &Schema, holds: &dyn Fn(&Table) -> bool) -> Vec<Demand> {
    let of = |table| Writer { table, name: quoted(&table.sql_name()), file: true }.demand(schema);
    theirs(schema, holds).map(of).collect()
}

/// What tables in a database must have.
pub fn postgresql_demands(schema: &Schema, holds: &dyn Fn(&Table) -> bool) -> Vec<Demand> {
    let of = |table| {
        let name = postgresql::postgresql_name(table);
        Writer { table, name, file: false }.demand(schema)
    };
    theirs(schema, holds).map(of).collect()
}

fn theirs<'a>(
    schema: &'a Schema,
    holds: &'a dyn Fn(&Table) -> bool,
) -> impl Iterator<Item = &'a Table> {
    schema.tables.iter().filter(|table| !table.is_managed() && holds(table))
}

struct Writer<'a> {
    table: &'a Table,
    /// Quoted.
    name: String,
    /// For SQLite.
    file: bool,
}

impl Writer<'_> {
    fn demand(&self, schema: &Schema) -> Demand {
        let table = self.table;
        let name = if self.file { table.sql_name() } else { table.name.clone() };
        Demand {
            schema: if self.file { String::new() } else { table.sql_schema().to_owned() },
            name,
            quoted: self.name.clone(),
            make: self.make(schema),
            columns: table.columns.iter().map(|column| self.column(column)).collect(),
            keys: self.keys(),
            policy: self.policy(),
        }
    }

    fn make(&self, schema: &Schema) -> Vec<String> {
        // What parts tenants or spans is told for itself: others write to the table too.
        let mut bare = self.table.clone();
        (bare.tenant, bare.overlaps) = (None, Vec::new());
        if self.file {
            let mut all = vec![sqlite::create_table(schema, &bare, &|_| true)];
            all.extend(bare.indexes.iter().map(|index| sqlite::create_index(&bare, index)));
            return all;
        }
        let place =
            Place { holds: &|_| true, name: &postgresql::postgresql_name, reaches_out: false };
        let mut pieces = Vec::new();
        postgresql::create_table(schema, place, &bare, &[], &mut pieces);
        let makes = format!("CREATE SCHEMA IF NOT EXISTS {}", quoted(self.table.sql_schema()));
        std::iter::once(makes).chain(pieces.into_iter().map(|piece| piece.text)).collect()
    }

    fn column(&self, column: &Column) -> WantedColumn {
        let kind = self.kind(column.storage);
        let (table, name) = (&self.name, quoted(&column.name));
        let alter = |what: String| format!("ALTER TABLE {table} ALTER COLUMN {name} {what}");
        let null = if column.nullable { "DROP NOT NULL" } else { "SET NOT NULL" };
        // The unit of an amount is in no type: no cast knows what a number meant.
        let plain = !matches!(column.storage, Storage::Units | Storage::Decimal { .. })
            && column.storage != Storage::Duration;
        WantedColumn {
            name: column.name.clone(),
            storage: column.storage,
            nullable: column.nullable,
            check: column.check.clone(),
            sorted: column.storage == Storage::Text
                && matches!(column.field, Some((_, Part::Whole | Part::Search))),
            add: self.add(column),
            retype: (plain && !self.file).then(|| alter(format!("TYPE {kind}"))),
            renull: (!self.file).then(|| alter(null.to_owned())),
            kind: kind.to_owned(),
        }
    }

    fn kind(&self, storage: Storage) -> &'static str {
        match self.file {
            true => sqlite::kind(storage),
            false => postgresql::kind(storage),
        }
    }

    /// A column that rows may lack already.
    fn add(&self, column: &Column) -> Vec<String> {
        let (table, name, kind) = (&self.name, quoted(&column.name), self.kind(column.storage));
        let null = if column.nullable { "" } else { " NOT NULL" };
        let default = self.default(column).filter(|_| !column.nullable);
        let default = default.map(|value| format!(" DEFAULT {value}")).unwrap_or_default();
        let mut all = vec![format!("ALTER TABLE {table} ADD COLUMN {name} {kind}{null}{default}")];
        if self.file && is_id(column) {
            all.push(format!("UPDATE {table} SET {name} = randomblob(16)"));
        }
        all
    }

    /// What rows get that are there. A column that is added to a file takes constants alone.
    fn default(&self, column: &Column) -> Option<String> {
        if let Some(fill) = &column.fill {
            return Some(match self.file {
                true => sqlite::literal(column, fill),
                false => postgresql::quoted_literal(column.storage, fill),
            });
        }
        let implicit = column.field.is_none();
        let value = match (column.name.as_str(), self.file) {
            _ if !implicit => return None,
            ("id", true) => "x'00000000000000000000000000000000'".to_owned(),
            ("id", false) => "gen_random_uuid()".to_owned(),
            ("row_version", _) => "1".to_owned(),
            ("position", _) => "0".to_owned(),
            ("created_at" | "updated_at", true) => "0".to_owned(),
            ("created_at" | "updated_at", false) => "now()".to_owned(),
            _ => return None,
        };
        Some(value)
    }

    fn keys(&self) -> Vec<WantedKey> {
        let table = self.table;
        let key = |columns: Vec<String>, or_alone| {
            let name = format!("ux_{}_{}", table.sql_name(), columns.join("_"));
            let (index, on) = (quoted(&name), &self.name);
            let add = format!("CREATE UNIQUE INDEX {index} ON {on} ({})", list(&columns));
            WantedKey { columns, or_alone, add }
        };
        // A child is put by its whole key; of a root it is enough that its id is nobody else's.
        let alone = table.owner.is_none().then(|| "id".to_owned());
        let mut all = vec![key(table.primary_key.clone(), alone)];
        let unique = table.indexes.iter().filter(|one| one.unique.is_some());
        let unique = unique.filter(|index| !is_search(table, index));
        all.extend(
            unique.map(|index| {
                key(index.columns.iter().map(|(name, _)| name.clone()).collect(), None)
            }),
        );
        all
    }

    fn policy(&self) -> Vec<String> {
        let Some(tenant) = self.table.tenant.as_ref().filter(|_| !self.file) else {
            return Vec::new();
        };
        let (table, own) = (&self.name, postgresql::own_rows(tenant));
        vec![
            format!("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"),
            format!("CREATE POLICY tenant ON {table} USING ({own}) WITH CHECK ({own})"),
        ]
    }
}

fn is_id(column: &Column) -> bool {
    column.field.is_none() && column.name == "id"
}
