//! The way from the tables that a database holds to those of a model, as steps that can each be
//! stopped after: whoever plans again from what is held then gets the rest.
//!
//! Renames come first, then what old processes do not notice, then what stored values need where
//! their type changes, then what holds only once the old processes have ended.

mod back;
mod columns;
mod constraints;
mod indexes;
mod names;
mod step;
#[cfg(test)]
mod tests;
mod types;

use ir::migration::{
    Action, Class, Held, Holds, Migration, Phase, Proof, Refusal, Remembered, Snapshot, Step,
};
use ir::schema::{Schema, Table};
use std::collections::{BTreeMap, BTreeSet};
use step::Draft;

pub use back::turned_round;

/// Which tables of a schema a database is to have.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// True for those that it has.
    pub holds: &'a dyn Fn(&Table) -> bool,
    /// Keys lead to tables beyond, too.
    pub reaches_out: bool,
}

/// Plans the way; `kept` is what stays though no model has it (`ordering.orders.note`).
pub fn plan(
    before: &Snapshot,
    after: &Schema,
    place: Place<'_>,
    kept: &BTreeSet<String>,
) -> Migration {
    let holds = place.holds;
    let wanted = match place.reaches_out {
        true => Snapshot::reaching(after, holds),
        false => Snapshot::of(after, holds),
    };
    let tables: BTreeMap<String, &Table> = after
        .tables
        .iter()
        .filter(|table| table.is_managed() && holds(table))
        .map(|table| (table.sql_name(), table))
        .collect();
    let now = names::adopted(before, &wanted, &tables);
    let (first, mut out) = (now.clone(), Migration::default());
    for table in after.tables.iter().filter(|table| table.is_managed()) {
        out.names.insert(table.sql_name(), (table.context.clone(), table.name.clone()));
    }
    let mut plan = Plan { first, now, wanted, tables, kept, out };
    plan.names_of_all();
    plan.hand_over(after);
    plan.move_tables();
    plan.rename_columns();
    plan.create_tables();
    let all: Vec<String> = plan.now.tables.keys().cloned().collect();
    for key in &all {
        plan.expand(key);
    }
    for key in &all {
        plan.switch(key);
    }
    for key in &all {
        plan.contract(key);
    }
    plan.drop_tables();
    plan.names_of_all();
    plan.out
}

/// The plan while it grows: `now` is what the database holds after the steps so far.
struct Plan<'a> {
    /// What it held at the beginning, names apart.
    first: Snapshot,
    now: Snapshot,
    wanted: Snapshot,
    tables: BTreeMap<String, &'a Table>,
    kept: &'a BTreeSet<String>,
    out: Migration,
}

impl Plan<'_> {
    fn names_of_all(&mut self) {
        for (key, held) in self.now.tables.iter().chain(&self.wanted.tables) {
            let name = (held.context.clone(), held.name.clone());
            self.out.names.entry(key.clone()).or_insert(name);
        }
    }

    /// What a table is and what it is to be; none where it is refused or goes.
    fn both(&self, key: &str) -> Option<(Held, Held)> {
        Some((self.now.tables.get(key)?.clone(), self.wanted.tables.get(key)?.clone()))
    }

    /// Adds a step that leaves the table in a shape.
    fn step(&mut self, key: &str, draft: Draft, shape: Option<Held>) {
        let before = self.now.tables.get(key).cloned();
        let mut held = Remembered::default();
        match &shape {
            Some(shape) => drop(held.with.insert(key.to_owned(), shape.clone())),
            None => held.without.push(key.to_owned()),
        }
        self.push(key, draft, shape, before, held);
    }

    fn push(
        &mut self,
        key: &str,
        draft: Draft,
        shape: Option<Held>,
        before: Option<Held>,
        held: Remembered,
    ) {
        self.now.remember(&held);
        let Draft { phase, class, action, reason, proofs, destroys } = draft;
        let table = key.to_owned();
        let step =
            Step { phase, class, action, table, shape, before, reason, proofs, destroys, held };
        self.out.steps.push(step);
    }

    fn refuse(&mut self, key: &str, column: &str, why: String, instead: &str) {
        let place = self.place(key, column);
        let instead = instead.to_owned();
        let refusal = Refusal { place, why, instead };
        if !self.out.refused.contains(&refusal) {
            self.out.refused.push(refusal);
        }
    }

    /// `ordering.orders.note`
    fn place(&self, key: &str, column: &str) -> String {
        let (context, name) = self.out.names.get(key).cloned().unwrap_or_default();
        match column.is_empty() {
            true => format!("{context}.{name}"),
            false => format!("{context}.{name}.{column}"),
        }
    }

    /// Tables that the model leaves to somebody else are forgotten, and stay as they are.
    fn hand_over(&mut self, after: &Schema) {
        for table in after.tables.iter().filter(|table| !table.is_managed()) {
            let key = table.sql_name();
            if self.holds(&key) && !self.wanted.tables.contains_key(&key) {
                let draft = Draft::new(Phase::Expand, Action::HandOver, "the model says `no_ddl`");
                self.step(&key, draft, None);
            }
        }
    }

    /// Tables that are new, what is referred to first. Keys of circles follow by themselves.
    fn create_tables(&mut self) {
        let mut left: Vec<String> =
            self.wanted.tables.keys().filter(|key| !self.holds(key)).cloned().collect();
        while !left.is_empty() {
            let waits = |key: &String| {
                let keys = &self.wanted.tables[key].foreign_keys;
                keys.iter().any(|to| to.table != *key && left.contains(&to.table))
            };
            let at = left.iter().position(|key| !waits(key)).unwrap_or(0);
            let key = left.remove(at);
            let mut shape = self.wanted.tables[&key].clone();
            shape.foreign_keys.retain(|to| to.table == key || self.holds(&to.table));
            let draft = Draft::new(Phase::Expand, Action::CreateTable, "the table is new");
            self.step(&key, draft, Some(shape));
        }
    }

    fn holds(&self, key: &str) -> bool {
        self.now.tables.contains_key(key)
    }

    fn drop_tables(&mut self) {
        let gone: Vec<String> = self
            .now
            .tables
            .keys()
            .filter(|key| !self.wanted.tables.contains_key(*key))
            .cloned()
            .collect();
        for key in gone {
            let name = self.place(&key, "");
            if self.kept.contains(&name) {
                continue;
            }
            let proof = Proof {
                holds: Holds::NoRows,
                fault: "would be lost".to_owned(),
                instead: format!("`--allow-destroy {name}` lets them go"),
            };
            let draft = Draft::new(Phase::Contract, Action::DropTable, "it is in no model");
            let draft = Draft { class: Class::Destroys, destroys: Some(name), ..draft };
            self.step(&key, draft.proven(proof), None);
        }
    }
}
