//! From one model to another, for random pairs of models: rows that both can hold survive on both
//! stores, and what comes out is what a fresh database of the second model would be.

use crate::database::{Database, query};
use crate::harness::{Folder, Ran, Server, run};
use formats::sql::migration::{Dialect, script, structure};
use ir::migration::{Migration, Run, ScriptStep, Snapshot};
use ir::schema::{Check, Schema, Storage};
use ir::source::{SourceFile, Sources};
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Rows of each table.
const ROWS: u64 = 3;

/// Drawn numbers, the same for a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }

    fn one_in(&mut self, limit: u64) -> bool {
        self.below(limit) == 0
    }
}

#[derive(Clone)]
struct Field {
    name: String,
    kind: Kind,
    optional: bool,
    unique: bool,
    search: bool,
    was: Option<String>,
}

#[derive(Clone)]
enum Kind {
    Text(u64),
    Int(Option<u64>),
    Decimal(u64),
    Bool,
    Enum(Vec<&'static str>),
    Money,
    Date,
    Other(&'static str),
}

impl Kind {
    fn drawn(dice: &mut Dice) -> Self {
        match dice.below(8) {
            0 => Self::Text(20 + dice.below(5)),
            1 => Self::Int(Some(100 + dice.below(5))),
            2 => Self::Int(None),
            3 => Self::Decimal(dice.below(4)),
            4 => Self::Bool,
            5 => Self::Enum(vec!["a", "b", "c"]),
            6 => Self::Money,
            _ => match dice.below(3) {
                0 => Self::Date,
                1 => Self::Other("clear"),
                _ => Self::Other("restrict"),
            },
        }
    }

    fn changed(&self, dice: &mut Dice) -> Self {
        match self {
            Self::Text(_) => Self::Text(20 + dice.below(5)),
            Self::Int(_) if dice.one_in(2) => Self::Decimal(dice.below(4)),
            Self::Int(_) => Self::Int(dice.one_in(2).then(|| 100 + dice.below(5))),
            Self::Decimal(_) => Self::Decimal(dice.below(4)),
            Self::Enum(_) if dice.one_in(2) => Self::Enum(vec!["a", "b"]),
            Self::Enum(_) => Self::Enum(vec!["d", "a", "c"]),
            Self::Other(_) if dice.one_in(2) => Self::Other("clear"),
            Self::Other(_) => Self::Other("restrict"),
            Self::Bool | Self::Money | Self::Date => self.clone(),
        }
    }

    /// The long form, and a default.
    fn words(&self) -> (String, Option<&'static str>) {
        match self {
            Self::Text(max) => (format!("type: string, max: {max}"), Some("\"'x'\"")),
            Self::Int(Some(max)) => (format!("type: int, max: {max}"), Some("7")),
            Self::Int(None) => ("type: int".to_owned(), Some("7")),
            Self::Decimal(scale) => (format!("type: decimal(9.{scale})"), Some("7")),
            Self::Bool => ("type: bool".to_owned(), Some("true")),
            Self::Enum(values) => (format!("type: {}", values.join(" | ")), Some("a")),
            Self::Money => ("type: money EUR".to_owned(), None),
            Self::Date => ("type: date".to_owned(), None),
            Self::Other(on_delete) => (format!("type: Other, on_delete: {on_delete}"), None),
        }
    }
}

impl Field {
    fn drawn(dice: &mut Dice, name: String, new: bool) -> Self {
        let kind = Kind::drawn(dice);
        let lonely = new && kind.words().1.is_none();
        let cleared = matches!(kind, Kind::Other("clear"));
        let text = matches!(kind, Kind::Text(_));
        Self {
            name,
            optional: lonely || cleared || dice.one_in(2),
            unique: !new && matches!(kind, Kind::Text(_) | Kind::Int(None)) && dice.one_in(3),
            search: text && dice.one_in(3),
            kind,
            was: None,
        }
    }

    /// The same field in the second model.
    fn changed(&self, dice: &mut Dice, number: usize) -> Self {
        let mut field = self.clone();
        if dice.one_in(3) {
            field.was = Some(std::mem::replace(&mut field.name, format!("renamed{number}")));
        }
        if dice.one_in(2) {
            field.kind = self.kind.changed(dice);
        }
        let cleared = matches!(field.kind, Kind::Other("clear"));
        field.optional = cleared || if dice.one_in(3) { !self.optional } else { self.optional };
        if matches!(self.kind, Kind::Text(_)) {
            field.search ^= dice.one_in(4);
            field.unique ^= dice.one_in(4);
        }
        if field.unique && self.optional && !field.optional {
            // Several rows would get the one default.
            field.unique = false;
        }
        field
    }

    /// `name: { type: …, optional: true }`
    fn line(&self) -> String {
        let (mut words, default) = self.kind.words();
        if self.optional {
            words.push_str(", optional: true");
        } else if let Some(default) = default.filter(|_| !self.unique) {
            let _ = write!(words, ", value: {default}");
        }
        for (name, set) in [("unique", self.unique), ("search", self.search)] {
            if set {
                let _ = write!(words, ", {name}: true");
            }
        }
        if let Some(was) = &self.was {
            let _ = write!(words, ", was: {was}");
        }
        format!("          {}: {{ {words} }}\n", self.name)
    }
}

fn model(name: &str, was: Option<&str>, tenancy: bool, fields: &[Field]) -> String {
    let fields: String = fields.iter().map(Field::line).collect();
    let was = was.map(|was| format!("        was: {was}\n")).unwrap_or_default();
    let tenancy = if tenancy { "tenancy: row by org\n" } else { "" };
    format!(
        "system: lab\n{tenancy}actors: {{ user: oidc }}\ncontexts:\n  lab:\n    resources:\n      \
         Other:\n        fields: {{ label: string max 9 }}\n        allow: {{ read: user, write: \
         user }}\n      {name}:\n{was}        fields:\n          kept: string max 9\n{fields}        \
         allow: {{ read: user, write: user }}\n"
    )
}

fn schema(text: &str) -> Schema {
    let (path, text) = ("mainstay.yaml".to_owned(), text.to_owned());
    let sources = Sources { files: vec![SourceFile { path, text: text.clone() }] };
    let (model, mut faults) = formats::requirements::read(&sources);
    let (valid, more) = design::check::check(model);
    faults.extend(more);
    faults.retain(|fault| fault.severity == ir::Severity::Error);
    assert_eq!(faults, [], "{text}");
    let valid = valid.unwrap_or_else(|| panic!("{faults:#?}\n{text}"));
    design::design(&valid).schema.clone()
}

/// A database of either kind.
enum Store {
    Sqlite(Connection),
    Postgresql(Database),
}

impl Store {
    fn sqlite(schema: &Schema) -> Self {
        let store = Connection::open_in_memory().expect("memory");
        let flags = rusqlite::functions::FunctionFlags::SQLITE_UTF8;
        let folded = |context: &rusqlite::functions::Context<'_>| {
            Ok(context.get::<String>(0)?.to_lowercase())
        };
        store.create_scalar_function("mainstay_search", 1, flags, folded).expect("a function");
        let store = Self::Sqlite(store);
        for text in formats::sql::sqlite_statements(schema, &|_| true) {
            store.run(&text);
        }
        store.run("PRAGMA foreign_keys = OFF");
        store
    }

    fn postgresql(schema: &Schema) -> Option<Self> {
        let store = Self::Postgresql(Database::new()?);
        let name = &formats::sql::postgresql_name;
        let place = formats::sql::Place { holds: &|_| true, name, reaches_out: false };
        for text in formats::sql::postgresql_statements(schema, place) {
            store.run(&text);
        }
        Some(store)
    }

    fn dialect(&self) -> Dialect<'_> {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgresql(_) => Dialect::Postgresql(&formats::sql::postgresql_name),
        }
    }

    #[track_caller]
    fn run(&self, text: &str) {
        let done = match self {
            Self::Sqlite(store) => store.execute_batch(text).map_err(|fault| fault.to_string()),
            Self::Postgresql(base) => query(&base.url(), text).map(drop),
        };
        done.unwrap_or_else(|fault| panic!("{fault}\n{text}"));
    }

    /// The cells of rows as text.
    #[track_caller]
    fn ask(&self, text: &str) -> Vec<Vec<String>> {
        match self {
            Self::Sqlite(store) => {
                let mut statement =
                    store.prepare(text).unwrap_or_else(|why| panic!("{why} {text}"));
                let many = statement.column_count();
                let cell = |row: &rusqlite::Row<'_>, at| match row.get_ref(at) {
                    Ok(rusqlite::types::ValueRef::Integer(number)) => number.to_string(),
                    Ok(rusqlite::types::ValueRef::Text(text)) => {
                        String::from_utf8_lossy(text).into_owned()
                    }
                    other => format!("{other:?}"),
                };
                let rows = statement
                    .query_map([], |row| Ok((0..many).map(|at| cell(row, at)).collect()))
                    .expect("it runs");
                rows.collect::<Result<_, _>>().unwrap_or_else(|why| panic!("{why} {text}"))
            }
            Self::Postgresql(base) => base.query(text),
        }
    }

    fn table(&self, context: &str, name: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("\"{context}_{name}\""),
            Self::Postgresql(_) => format!("\"{context}\".\"{name}\""),
        }
    }

    fn carry_out(&self, step: &ScriptStep) {
        if step.destroys.is_none() {
            for proof in &step.proofs {
                let broken = self.ask(&proof.count);
                let examples = self.ask(&proof.examples);
                assert_eq!(broken[0][0], "0", "{} {} {examples:?}", proof.fault, proof.count);
            }
        }
        for run in &step.run {
            match run {
                Run::Together(all) => self.run(&format!("BEGIN; {}; COMMIT", all.join("; "))),
                Run::Alone(all) => all.iter().for_each(|text| self.run(text)),
                Run::Chunks { end, statement, step, rows: _ } => {
                    let end: u64 = self.ask(end)[0][0].parse().expect("a number");
                    for from in (0..end).step_by(usize::try_from(*step).expect("few")) {
                        let to = (from + step).to_string();
                        let text = statement.replace(":from", &from.to_string());
                        self.run(&text.replace(":to", &to));
                    }
                }
            }
        }
    }

    /// What the database says of its columns and indexes.
    fn found(&self, context: &str, name: &str) -> (Vec<String>, Vec<Vec<String>>) {
        let (columns, indexes) = match self {
            Self::Sqlite(_) => (
                format!(
                    "SELECT '\"' || name || '\" ' || type || iif(\"notnull\", ' NOT NULL', '') \
                     FROM pragma_table_info('{context}_{name}')"
                ),
                format!(
                    "SELECT name, sql FROM sqlite_schema WHERE tbl_name = '{context}_{name}' AND \
                     type IN ('index', 'trigger') AND sql IS NOT NULL ORDER BY 1"
                ),
            ),
            Self::Postgresql(_) => (
                format!(
                    "SELECT '\"' || attname || '\" ' || format_type(atttypid, atttypmod) || CASE \
                     WHEN attnotnull THEN ' NOT NULL' ELSE '' END FROM pg_attribute WHERE attrelid \
                     = '\"{context}\".\"{name}\"'::regclass AND attnum > 0 AND NOT attisdropped"
                ),
                format!(
                    "SELECT 'index', indexdef FROM pg_indexes WHERE schemaname = '{context}' AND \
                     tablename = '{name}' AND indexname NOT LIKE '%_pkey' UNION ALL SELECT \
                     'constraint', pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = \
                     '\"{context}\".\"{name}\"'::regclass ORDER BY 1, 2"
                ),
            ),
        };
        let mut lines: Vec<String> = self.ask(&columns).into_iter().flatten().collect();
        lines.sort();
        (lines, self.ask(&indexes))
    }

    /// Text of the table with its constraints in any order, where the store keeps one.
    fn text(&self, context: &str, name: &str) -> Vec<String> {
        let Self::Sqlite(_) = self else { return Vec::new() };
        let text = format!("SELECT sql FROM sqlite_schema WHERE name = '{context}_{name}'");
        let text = self.ask(&text)[0][0].clone();
        let mut lines: Vec<String> =
            text.lines().map(|line| line.trim_end_matches(',').to_owned()).collect();
        lines.sort();
        lines
    }
}

/// A value as a literal of SQL: distinct in each row, within all constraints of both models.
fn value(store: &Store, storage: Storage, check: Option<&Check>, row: u64) -> String {
    let sqlite = matches!(store, Store::Sqlite(_));
    match storage {
        Storage::Uuid if sqlite => format!("x'{row:032x}'"),
        Storage::Uuid => format!("'{row:032x}'"),
        Storage::Bool if sqlite => (row % 2).to_string(),
        Storage::Bool => row.is_multiple_of(2).to_string(),
        Storage::Int | Storage::Units | Storage::Duration => row.to_string(),
        Storage::Decimal { scale } => (row * 10_u64.pow(scale.into())).to_string(),
        Storage::Currency => "'EUR'".to_owned(),
        Storage::Text => match check {
            Some(Check::OneOf(_)) => "'a'".to_owned(),
            _ => format!("'Text {row}'"),
        },
        Storage::Date if sqlite => row.to_string(),
        Storage::Date => format!("date '1970-01-01' + {row}"),
        Storage::Time | Storage::Timestamp if sqlite => row.to_string(),
        Storage::Time => "time '00:00'".to_owned(),
        Storage::Timestamp => format!("timestamptz '1970-01-01Z' + interval '{row} s'"),
        Storage::Json => "'{}'".to_owned(),
    }
}

fn fill(store: &Store, snapshot: &Snapshot, nulls: &[String]) {
    let mut tables: Vec<_> = snapshot.tables.values().collect();
    tables.sort_by_key(|held| held.name != "others");
    for held in tables {
        for row in 1..=ROWS {
            let (mut names, mut values) = (Vec::new(), Vec::new());
            for column in &held.columns {
                let field = column.name.trim_end_matches("_currency").trim_end_matches("_search");
                let null = column.nullable && row == 1 && nulls.iter().any(|name| name == field);
                names.push(format!("\"{}\"", column.name));
                values.push(match null {
                    true => "NULL".to_owned(),
                    false => value(store, column.storage, column.check.as_ref(), row),
                });
            }
            store.run(&format!(
                "INSERT INTO {} ({}) VALUES ({})",
                store.table(&held.context, &held.name),
                names.join(", "),
                values.join(", ")
            ));
        }
    }
}

/// Values of a column by id, decimals as numbers.
fn values(store: &Store, table: &str, column: &str, storage: Storage) -> Vec<Vec<String>> {
    let column = match storage {
        Storage::Decimal { scale } => format!("\"{column}\" / {}", 10_u64.pow(scale.into())),
        _ => format!("\"{column}\""),
    };
    store.ask(&format!("SELECT {column} FROM {table} ORDER BY \"id\""))
}

/// The way from what is held.
fn planned(now: &Snapshot, after: &Schema) -> Migration {
    let place = design::migrate::Place { holds: &|_| true, reaches_out: false };
    design::migrate::plan(now, after, place, &BTreeSet::new())
}

/// Carries plans out; every so often it forgets the plan and makes a new one of what is held.
fn migrate(store: &Store, before: &Schema, after: &Schema, dice: &mut Dice) -> Snapshot {
    let mut now = Snapshot::of(before, &|_| true);
    for _ in 0..200 {
        let plan: Migration = planned(&now, after);
        assert_eq!(plan.refused, [], "nothing stands in the way");
        let steps = script(&plan, store.dialect());
        if steps.is_empty() {
            return now;
        }
        for step in steps {
            store.carry_out(&step);
            now.remember(&step.held);
            if dice.one_in(4) {
                break;
            }
        }
    }
    panic!("there is always one more step");
}

/// Two models and what became of the fields of the first.
struct Pair {
    label: String,
    texts: (String, String),
    before: Schema,
    after: Schema,
    /// Of the table in the second model.
    name: &'static str,
    moved: Vec<(Field, Field)>,
    /// Fields that may be null in both.
    nulls: Vec<String>,
}

fn pair(seed: u64, dice: &mut Dice) -> Pair {
    let many = 1 + dice.below(6);
    let first: Vec<Field> =
        (0..many).map(|number| Field::drawn(dice, format!("field{number}"), false)).collect();
    let (mut second, mut moved) = (Vec::new(), Vec::new());
    for (number, field) in first.iter().enumerate() {
        if dice.one_in(6) {
            continue;
        }
        let next = field.changed(dice, number);
        moved.push((field.clone(), next.clone()));
        second.insert(dice.below(second.len() as u64 + 1) as usize, next);
    }
    for number in 0..dice.below(3) {
        second.push(Field::drawn(dice, format!("new{number}"), true));
    }
    let (tenancy, renamed) = (dice.one_in(3), dice.one_in(3));
    let before = model("Thing", None, tenancy, &first);
    let (after, name) = match renamed {
        true => (model("Article", Some("Thing"), tenancy, &second), "articles"),
        false => (model("Thing", None, tenancy, &second), "things"),
    };
    let filled = |is: &Field| is.optional || (is.kind.words().1.is_some() && !is.unique);
    let stays = |field: &&Field| {
        let next = moved.iter().find(|(was, _)| was.name == field.name);
        field.optional && next.is_none_or(|(_, is)| filled(is))
    };
    let nulls = first.iter().filter(stays).map(|field| field.name.clone()).collect();
    let label = format!("seed {seed}\n{before}\n{after}");
    let (one, two) = (schema(&before), schema(&after));
    Pair { label, texts: (before, after), before: one, after: two, name, moved, nulls }
}

/// Values of the fields that both models have, by their names in one of them.
fn kept(store: &Store, now: &Snapshot, name: &str, fields: &[String]) -> Vec<Vec<Vec<String>>> {
    let shape = &now.tables[&format!("lab_{name}")];
    let values = |column: &String| {
        let storage = shape.column(column).expect("the column is there").storage;
        values(store, &store.table("lab", name), column, storage)
    };
    fields.iter().map(values).collect()
}

/// Fills a store that was made for the first model, goes the way and looks at what came out.
fn check(dice: &mut Dice, pair: &Pair, store: &Store, fresh: &Store, go: Go<'_>) {
    let Pair { label, before, after, name, moved, nulls, .. } = pair;
    let held = Snapshot::of(before, &|_| true);
    fill(store, &held, nulls);
    let names = |of: &dyn Fn(&(Field, Field)) -> String| moved.iter().map(of).collect::<Vec<_>>();
    let were = kept(store, &held, "things", &names(&|(was, _)| was.name.clone()));
    let now = go(store, dice);
    let are = kept(store, &now, name, &names(&|(_, is)| is.name.clone()));
    for (was, is) in were.iter().flatten().zip(are.iter().flatten()) {
        let filled = was[0] == "Ok(Null)" || was[0].is_empty();
        assert!(was == is || filled, "{was:?} became {is:?}\n{label}");
    }
    for held in Snapshot::of(after, &|_| true).tables.values() {
        let (context, name) = (&held.context, &held.name);
        assert_eq!(structure(held, store.dialect()), store.found(context, name).0, "{label}");
        assert_eq!(fresh.found(context, name), store.found(context, name), "{label}");
        assert_eq!(fresh.text(context, name), store.text(context, name), "{label}");
    }
    let left = planned(&now, after);
    assert_eq!(left.steps, [], "{label}");
}

/// Goes the way; what is remembered at its end.
type Go<'a> = &'a dyn Fn(&Store, &mut Dice) -> Snapshot;

fn drawn(seed: u64) -> (Dice, Pair) {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let pair = pair(seed, &mut dice);
    (dice, pair)
}

#[test]
fn rows_survive_the_way_between_random_models_on_sqlite() {
    for seed in 1..=24 {
        let (mut dice, pair) = drawn(seed);
        let store = Store::sqlite(&pair.before);
        let go: Go<'_> = &|store, dice| migrate(store, &pair.before, &pair.after, dice);
        check(&mut dice, &pair, &store, &Store::sqlite(&pair.after), go);
        assert_eq!(store.ask("PRAGMA integrity_check"), [["ok"]], "{}", pair.label);
        assert!(store.ask("PRAGMA foreign_key_check").is_empty(), "{}", pair.label);
    }
}

/// Pairs of models on a server; `MAINSTAY_TEST_SEEDS` asks for more.
const SEEDS: u64 = 12;

#[test]
fn rows_survive_the_way_between_random_models_on_postgresql() {
    let asked = std::env::var("MAINSTAY_TEST_SEEDS").ok();
    let seeds = asked.map_or(SEEDS, |asked| asked.parse().expect("a number of seeds"));
    for seed in 20..20 + seeds {
        let (mut dice, pair) = drawn(seed);
        let Some(fresh) = Store::postgresql(&pair.after) else { return };
        let Some(database) = Database::new() else { return };
        let (folder, url) = (Folder::new(), database.url());
        let model = folder.0.join("mainstay.yaml");
        std::fs::write(&model, &pair.texts.0).expect("writable");
        drop(Server::start(folder.path(), &folder.0.join("data"), &["--database", &url]));
        std::fs::write(&model, &pair.texts.1).expect("writable");
        // Nobody seems to use the first model any more.
        database.until_left();
        let store = Store::Postgresql(database);
        let go: Go<'_> = &|store, dice| {
            // Some go the way in two parts; a rename waits for the second.
            for more in [&["--contract"][..0], &["--contract"]].iter().skip(dice.below(2) as usize)
            {
                let ran = apply(&folder, &url, &pair, more);
                assert!(
                    ran.code == 0 || (more.is_empty() && ran.code == 1),
                    "{}",
                    told(&ran, &pair)
                );
            }
            let Store::Postgresql(base) = store else { panic!("it is a server") };
            let text = "SELECT value FROM mainstay.meta WHERE name = 'schema of lab'";
            serde_json::from_str(&base.query(text)[0][0]).expect("it remembers its tables")
        };
        check(&mut dice, &pair, &store, &fresh, go);
        let again = apply(&folder, &url, &pair, &["--contract"]);
        assert_eq!((again.code, again.stdout.as_str()), (0, ""), "{}", told(&again, &pair));
    }
}

fn told(ran: &Ran, pair: &Pair) -> String {
    format!("{}{}{}", ran.stdout, ran.stderr, pair.label)
}

/// The verb itself; fields that the second model lacks may go.
fn apply(folder: &Folder, url: &str, pair: &Pair, more: &[&str]) -> Ran {
    let data = folder.0.join("data");
    let mut arguments = vec!["migrate", "apply", folder.path(), "--database", url];
    arguments.extend(["--data", data.to_str().expect("plain")]);
    arguments.extend(more);
    let columns = pair.before.tables.iter().flat_map(|table| &table.columns);
    let gone = columns.map(|column| format!("lab.{}.{}", pair.name, column.name));
    let gone = gone.collect::<Vec<_>>().join(",");
    arguments.extend(["--allow-destroy", &gone]);
    run(&arguments)
}
