//! Indexes: new ones early, unique ones once the old processes have ended, superfluous ones late.

use super::Plan;
use super::step::Draft;
use super::types::{Conversion, conversion};
use ir::migration::{Action, Held, HeldIndex, Holds, Phase, Proof};
use ir::schema::IndexCondition;

impl Plan<'_> {
    /// What can be made in a phase of what is missing.
    pub(super) fn add_indexes(&mut self, key: &str, phase: Phase) {
        let Some((now, wanted)) = self.both(key) else { return };
        if phase == Phase::Expand {
            for was in now.indexes.iter().filter(|was| was.unique && !has(&wanted, was)) {
                self.drop_index(key, &was.name, phase, "rows may be equal from now on");
            }
        }
        for is in &wanted.indexes {
            let Some(now) = self.now.tables.get(key).cloned() else { return };
            if now.indexes.contains(is) || !ready(&now, &wanted, is) {
                continue;
            }
            let named = |was: &&HeldIndex| same(was, is) && !wanted.indexes.contains(was);
            if let Some(was) = now.indexes.iter().find(named) {
                self.rename_index(key, was, is);
            } else if phase == Phase::Contract || !is.unique {
                if now.indexes.iter().any(|was| was.name == is.name) {
                    self.drop_index(key, &is.name, phase, "it has other columns");
                }
                self.add_index(key, is, phase);
            }
        }
    }

    fn rename_index(&mut self, key: &str, was: &HeldIndex, is: &HeldIndex) {
        let Some(mut shape) = self.now.tables.get(key).cloned() else { return };
        for index in shape.indexes.iter_mut().filter(|index| index.name == was.name) {
            index.name.clone_from(&is.name);
        }
        let action = Action::RenameIndex { from: was.name.clone(), to: is.name.clone() };
        let reason = format!("it was `{}`", was.name);
        self.step(key, Draft::new(Phase::Expand, action, reason), Some(shape));
    }

    fn add_index(&mut self, key: &str, is: &HeldIndex, phase: Phase) {
        let Some(mut shape) = self.now.tables.get(key).cloned() else { return };
        shape.indexes.push(is.clone());
        let columns: Vec<&str> = is.columns.iter().map(|(name, _)| &**name).collect();
        let (columns, action) = (columns.join(", "), Action::AddIndex(is.name.clone()));
        let draft = match is.unique {
            false => Draft::new(phase, action, format!("queries by {columns}")),
            true => Draft::new(phase, action, format!("no two rows are equal in {columns}"))
                .proven(Proof {
                    holds: Holds::Unique(is.clone()),
                    fault: format!("are equal to another in {columns}"),
                    instead: "change or delete one of each pair first".to_owned(),
                }),
        };
        self.step(key, draft, Some(shape));
    }

    pub(super) fn drop_index(&mut self, key: &str, name: &str, phase: Phase, reason: &str) {
        let Some(mut shape) = self.now.tables.get(key).cloned() else { return };
        shape.indexes.retain(|index| index.name != name);
        let draft = Draft::new(phase, Action::DropIndex(name.to_owned()), reason);
        self.step(key, draft, Some(shape));
    }

    pub(super) fn drop_indexes(&mut self, key: &str) {
        let Some((now, wanted)) = self.both(key) else { return };
        for was in now.indexes.iter().filter(|was| !wanted.indexes.contains(was)) {
            self.drop_index(key, &was.name, Phase::Contract, "no query needs it");
        }
    }
}

fn has(held: &Held, index: &HeldIndex) -> bool {
    held.indexes.iter().any(|other| same(other, index))
}

/// Equal but for the name.
fn same(a: &HeldIndex, b: &HeldIndex) -> bool {
    (&a.columns, a.unique, &a.only) == (&b.columns, b.unique, &b.only)
}

/// Its columns are there, and what they hold is what they are to hold.
fn ready(now: &Held, wanted: &Held, index: &HeldIndex) -> bool {
    wanted.columns.iter().filter(|column| reads(index, &column.name)).all(|is| {
        now.column(&is.name)
            .is_some_and(|was| conversion(was.storage, is.storage) == Conversion::Same)
    })
}

/// True where an index reads a column.
pub(super) fn reads(index: &HeldIndex, column: &str) -> bool {
    let conditional = index.only.iter().any(|condition| match condition {
        IndexCondition::NotNull(name) | IndexCondition::Null(name) => name == column,
        IndexCondition::Equal(name, _) | IndexCondition::NotEqual(name, _) => name == column,
    });
    conditional || index.columns.iter().any(|(name, _)| name == column)
}
