//! Renames: of tables with their contexts, and of columns.

use super::Plan;
use super::step::Draft;
use ir::migration::{Action, Held, Phase, Remembered, Snapshot};
use ir::schema::Table;
use std::collections::BTreeMap;

/// What an older version remembered lacks names and tenants: they are taken from the model.
pub(super) fn adopted(
    before: &Snapshot,
    wanted: &Snapshot,
    tables: &BTreeMap<String, &Table>,
) -> Snapshot {
    let mut now = before.clone();
    let keys: Vec<String> = now.tables.keys().cloned().collect();
    for (key, held) in &mut now.tables {
        if !held.name.is_empty() {
            continue;
        }
        held.foreign_keys.retain(|to| keys.contains(&to.table));
        let former = |table: &&&Table| table.was.as_ref().is_some_and(|was| sql_name(was) == *key);
        let same = wanted.tables.get(key).map(|held| (held.context.clone(), held.name.clone()));
        let moved = || tables.values().find(former).and_then(|table| table.was.clone());
        let parted = || key.split_once('_').map(|(a, b)| (a.to_owned(), b.to_owned()));
        let name = same.or_else(moved).or_else(parted).unwrap_or_default();
        (held.context, held.name) = name;
        let is = tables.get(key).or_else(|| tables.values().find(former));
        held.tenant = is.and_then(|table| table.tenant.clone());
        held.overlaps = wanted.tables.get(key).map_or_else(Vec::new, |held| held.overlaps.clone());
    }
    now
}

fn sql_name((context, name): &(String, String)) -> String {
    format!("{context}_{name}")
}

impl Plan<'_> {
    /// Tables whose rows were under another name.
    pub(super) fn move_tables(&mut self) {
        let moves: Vec<(String, String)> = self
            .tables
            .iter()
            .filter(|(key, _)| !self.holds(key))
            .filter_map(|(key, table)| Some((sql_name(table.was.as_ref()?), key.clone())))
            .filter(|(from, _)| self.holds(from) && !self.wanted.tables.contains_key(from))
            .collect();
        for (from, to) in moves {
            let Some(before) = self.now.tables.get(&from).cloned() else { continue };
            let is = &self.wanted.tables[&to];
            let shape = moved(&before, &from, &to, is);
            let mut held = Remembered { without: vec![from.clone()], ..Remembered::default() };
            for (key, other) in self.now.tables.iter().filter(|(key, _)| **key != from) {
                if other.foreign_keys.iter().any(|reference| reference.table == from) {
                    held.with.insert(key.clone(), pointed(other, &from, &to));
                }
            }
            held.with.insert(to.clone(), shape.clone());
            if let Some(first) = self.first.tables.remove(&from) {
                self.first.tables.insert(to.clone(), first);
            }
            let reason = format!("it was `{}.{}`", before.context, before.name);
            let draft = Draft::new(Phase::Switch, Action::MoveTable(from), reason);
            self.push(&to, draft, Some(shape), Some(before), held);
        }
    }

    /// Columns whose values were under another name.
    pub(super) fn rename_columns(&mut self) {
        let mut renames = Vec::new();
        for (key, table) in &self.tables {
            let Some(now) = self.now.tables.get(key) else { continue };
            for column in table.columns.iter().filter(|column| now.column(&column.name).is_none()) {
                let was = column.was.as_ref().filter(|was| now.column(was).is_some());
                let free = |was: &&String| !table.columns.iter().any(|other| other.name == **was);
                if let Some(was) = was.filter(free) {
                    renames.push((key.clone(), was.clone(), column.name.clone()));
                }
            }
        }
        for (key, from, to) in renames {
            let Some(mut shape) = self.now.tables.get(&key).cloned() else { continue };
            renamed(&mut shape, &from, &to);
            if let Some(first) = self.first.tables.get_mut(&key) {
                renamed(first, &from, &to);
            }
            let reason = format!("it was `{from}`");
            let action = Action::RenameColumn { from, to };
            self.step(&key, Draft::new(Phase::Switch, action, reason), Some(shape));
        }
    }
}

fn moved(before: &Held, from: &str, to: &str, is: &Held) -> Held {
    let (context, name) = (is.context.clone(), is.name.clone());
    Held { context, name, ..pointed(before, from, to) }
}

/// With keys that point to the new name.
fn pointed(held: &Held, from: &str, to: &str) -> Held {
    let mut held = held.clone();
    for key in held.foreign_keys.iter_mut().filter(|key| key.table == from) {
        key.table = to.to_owned();
    }
    held
}

fn renamed(held: &mut Held, from: &str, to: &str) {
    let change = |name: &mut String| {
        if name == from {
            *name = to.to_owned();
        }
    };
    held.columns.iter_mut().for_each(|column| change(&mut column.name));
    held.foreign_keys.iter_mut().flat_map(|key| &mut key.columns).for_each(change);
    held.owner.iter_mut().for_each(change);
    for index in &mut held.indexes {
        index.columns.iter_mut().for_each(|(name, _)| change(name));
        index.only.iter_mut().for_each(|condition| change(condition.column_mut()));
    }
    for overlap in &mut held.overlaps {
        overlap.equal.iter_mut().for_each(change);
        change(&mut overlap.start);
        change(&mut overlap.end);
    }
}
