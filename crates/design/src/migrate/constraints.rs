//! Constraints of whole tables: what is let go first, keys, spans that never overlap.

use super::Plan;
use super::step::Draft;
use super::types::{Conversion, conversion, implies, word};
use ir::migration::{Action, Held, HeldColumn, HeldKey, Holds, Phase, Proof};
use ir::schema::Part;

impl Plan<'_> {
    /// Takes what would refuse the rows of new processes.
    pub(super) fn loosen(&mut self, key: &str) {
        let Some(now) = self.now.tables.get(key).cloned() else { return };
        let mut shape = now.clone();
        let mut refused = Vec::new();
        match self.wanted.tables.get(key) {
            None => shape.foreign_keys.clear(),
            Some(wanted) => {
                for column in &mut shape.columns {
                    refused.extend(loosened(column, wanted));
                }
                shape.foreign_keys.retain(|kept| wanted.foreign_keys.contains(kept));
                shape.overlaps.retain(|kept| wanted.overlaps.contains(kept));
            }
        }
        for (column, why) in refused {
            let instead = "add a field of the new type beside it, fill it over the API, then \
                           remove this one";
            self.refuse(key, &column, why, instead);
        }
        if shape != now {
            let reason = reason(&now, &shape);
            self.step(key, Draft::new(Phase::Expand, Action::Loosen, reason), Some(shape));
        }
    }

    /// Keys: at once where old processes can't break them, else after they have ended.
    pub(super) fn add_keys(&mut self, key: &str, phase: Phase) {
        let Some((now, wanted)) = self.both(key) else { return };
        let missing = wanted.foreign_keys.iter().filter(|is| !now.foreign_keys.contains(is));
        for is in missing {
            if phase == Phase::Expand && !self.unknown_to_old(key, is) {
                continue;
            }
            let Some(mut shape) = self.now.tables.get(key).cloned() else { return };
            shape.foreign_keys.push(is.clone());
            let column = is.columns.last().cloned().unwrap_or_default();
            let draft = Draft::new(phase, Action::Tighten, format!("`{column}` refers to a row"));
            let draft = draft.proven(Proof {
                holds: Holds::Refers(is.clone()),
                fault: format!("have a `{column}` that is the id of no row"),
                instead: "clear it, or make the rows that it refers to first".to_owned(),
            });
            self.step(key, draft, Some(shape));
        }
    }

    fn unknown_to_old(&self, key: &str, is: &HeldKey) -> bool {
        let Some(first) = self.first.tables.get(key) else { return true };
        let known = is.columns.last().is_some_and(|column| first.column(column).is_some());
        let same = |was: &HeldKey| was.columns == is.columns && was.table == is.table;
        !known || first.foreign_keys.iter().any(same)
    }

    pub(super) fn add_overlaps(&mut self, key: &str) {
        let Some((now, wanted)) = self.both(key) else { return };
        for is in wanted.overlaps.iter().filter(|is| !now.overlaps.contains(is)) {
            let Some(mut shape) = self.now.tables.get(key).cloned() else { return };
            shape.overlaps.push(is.clone());
            let reason = format!("spans from `{}` never overlap", is.start);
            let draft = Draft::new(Phase::Contract, Action::Tighten, reason);
            let draft = draft.proven(Proof {
                holds: Holds::Apart(is.clone()),
                fault: format!("overlap another from `{}` to `{}`", is.start, is.end),
                instead: "move one of each pair first".to_owned(),
            });
            self.step(key, draft, Some(shape));
        }
    }
}

/// Loosens a column in place; what it can't become is said.
fn loosened(column: &mut HeldColumn, wanted: &Held) -> Option<(String, String)> {
    let Some(is) = wanted.column(&column.name) else {
        (column.nullable, column.check) = (true, None);
        if matches!(column.part, Some(Part::Units | Part::Currency | Part::Start | Part::End)) {
            column.part = None;
        }
        return None;
    };
    match conversion(column.storage, is.storage) {
        Conversion::Scaled { .. } => return None,
        Conversion::None => {
            let why = format!("it was {} and is {}", word(column.storage), word(is.storage));
            return Some((column.name.clone(), why));
        }
        Conversion::Same => column.storage = is.storage,
    }
    column.nullable |= is.nullable;
    let (was, be) = (column.check.as_ref(), is.check.as_ref());
    if was != be && implies(was, be) {
        column.check.clone_from(&is.check);
    } else if !implies(be, was) {
        column.check = None;
    }
    None
}

fn reason(before: &Held, after: &Held) -> String {
    let columns = before.columns.iter().zip(&after.columns).filter(|(was, is)| was != is);
    let mut all: Vec<String> = columns.map(|(was, _)| format!("`{}`", was.name)).collect();
    let keys = before.foreign_keys.iter().filter(|key| !after.foreign_keys.contains(key));
    all.extend(keys.filter_map(|key| Some(format!("`{}`", key.columns.last()?))));
    let overlaps = before.overlaps.iter().filter(|one| !after.overlaps.contains(one));
    all.extend(overlaps.map(|one| format!("`{}`", one.start)));
    all.dedup();
    format!("the model asks less of {}", all.join(", "))
}
