//! Columns: added, filled, made to hold, converted, dropped.

use super::Plan;
use super::step::Draft;
use super::types::{Conversion, conversion, implies};
use ir::migration::{Action, Class, Fill, Held, HeldColumn, Holds, Phase, Proof};
use ir::schema::{Check, Column, Giver, Part};

/// Begins the name of a column that takes converted values.
const NEW: &str = "mainstay_new_";

impl Plan<'_> {
    /// What old processes do not notice.
    pub(super) fn expand(&mut self, key: &str) {
        self.loosen(key);
        let Some((now, wanted)) = self.both(key) else { return };
        if now.primary_key != wanted.primary_key {
            let why = "the table has another primary key".to_owned();
            let instead = "tenants are kept apart otherwise than before: make a new database, \
                           and send the rows to it over the API";
            return self.refuse(key, "", why, instead);
        }
        self.add_columns(key);
        self.fill_columns(key);
        self.add_keys(key, Phase::Expand);
        self.add_indexes(key, Phase::Expand);
    }

    /// Values that mean something else from then on.
    pub(super) fn switch(&mut self, key: &str) {
        let Some((now, wanted)) = self.both(key) else { return };
        let mut any = false;
        for is in &wanted.columns {
            let Some(was) = now.column(&is.name) else { continue };
            if let Conversion::Scaled { times, by } = conversion(was.storage, is.storage) {
                self.convert(key, is, times, by);
                any = true;
            }
        }
        if any {
            self.add_indexes(key, Phase::Switch);
        }
    }

    /// What holds once the old processes have ended.
    pub(super) fn contract(&mut self, key: &str) {
        let Some((_, wanted)) = self.both(key) else { return };
        for is in &wanted.columns {
            self.tighten(key, is);
        }
        self.add_keys(key, Phase::Contract);
        self.add_overlaps(key);
        self.add_indexes(key, Phase::Contract);
        self.drop_indexes(key);
        self.drop_columns(key);
        self.remember(key);
    }

    /// The columns of a field come together.
    fn add_columns(&mut self, key: &str) {
        let Some((now, _)) = self.both(key) else { return };
        let table = self.tables[key];
        let new = |column: &&Column| now.column(&column.name).is_none();
        let new: Vec<&Column> = table.columns.iter().filter(new).collect();
        let field = |column: &Column| column.field.map(|(field, _)| field);
        let groups = new.chunk_by(|a, b| field(a).is_some() && field(a) == field(b));
        let groups: Vec<Vec<Column>> =
            groups.map(|group| group.iter().map(|column| (*column).clone()).collect()).collect();
        for group in groups {
            self.add_group(key, &group);
        }
    }

    fn add_group(&mut self, key: &str, group: &[Column]) {
        let Some((now, wanted)) = self.both(key) else { return };
        let mut shape = now;
        let names: Vec<String> = group.iter().map(|column| column.name.clone()).collect();
        let first = &group[0];
        let reason = match first.nullable {
            true => format!("`{}` is new and optional", first.name),
            false => format!("`{}` is new", first.name),
        };
        let mut draft = Draft::new(Phase::Expand, Action::AddColumns(names), reason);
        for column in group {
            let Some(mut held) = wanted.column(&column.name).cloned() else { continue };
            if held.part == Some(Part::Search) {
                // Filled next, and known to be by its part.
                (held.nullable, held.part) = (true, None);
            } else if !held.nullable {
                held.default.clone_from(&column.fill);
                match &column.fill {
                    Some(_) => draft = draft.filling(),
                    None if draft.proofs.is_empty() => draft = draft.proven(empty(column)),
                    None => {}
                }
            }
            shape.columns.push(held);
        }
        self.step(key, draft, Some(shape));
    }

    /// Rows that are there get what new rows get; a default goes on doing so for old processes.
    fn fill_columns(&mut self, key: &str) {
        let columns = self.tables[key].columns.clone();
        for column in &columns {
            let Some((now, wanted)) = self.both(key) else { return };
            let (Some(was), Some(is)) = (now.column(&column.name), wanted.column(&column.name))
            else {
                continue;
            };
            let made = was.nullable && !is.nullable && was.storage == is.storage;
            if let Some(fill) = self.folded(key, column).filter(|_| was.part != is.part) {
                let reason = format!("`{}` is what `q` looks in", column.name);
                self.backfill(key, Phase::Expand, &column.name, fill, reason, |held| {
                    held.part = Some(Part::Search);
                });
            } else if let Some(fill) =
                column.fill.clone().filter(|_| made && was.default != column.fill)
            {
                let default = fill.clone();
                let reason = format!("`{}` must have a value from now on", column.name);
                self.backfill(
                    key,
                    Phase::Expand,
                    &column.name,
                    Fill::Constant(fill),
                    reason,
                    |held| {
                        held.default = Some(default);
                    },
                );
            }
        }
    }

    fn backfill(
        &mut self,
        key: &str,
        phase: Phase,
        column: &str,
        fill: Fill,
        reason: String,
        change: impl FnOnce(&mut HeldColumn),
    ) {
        let Some(mut shape) = self.now.tables.get(key).cloned() else { return };
        shape.columns.iter_mut().find(|held| held.name == column).map(change);
        let constant = matches!(fill, Fill::Constant(_));
        let action = Action::Backfill { column: column.to_owned(), fill };
        let draft = Draft::new(phase, action, reason);
        self.step(key, if constant { draft.filling() } else { draft }, Some(shape));
    }

    /// The column that a shadow of `q` is folded from.
    fn folded(&self, key: &str, column: &Column) -> Option<Fill> {
        let (field, part) = column.field?;
        let source = self.tables[key].column(field, Part::Whole)?;
        (part == Part::Search).then(|| Fill::Search(source.name.clone()))
    }

    /// A new column takes the values, then the name of the old one.
    fn convert(&mut self, key: &str, is: &HeldColumn, times: i64, by: i64) {
        let new = format!("{NEW}{}", is.name);
        let reason = format!("`{}` counts in other units", is.name);
        let Some(now) = self.now.tables.get(key).cloned() else { return };
        for index in now.indexes.iter().filter(|index| super::indexes::reads(index, &is.name)) {
            self.drop_index(key, &index.name, Phase::Switch, &reason);
        }
        if now.column(&new).is_none() {
            let Some(mut shape) = self.now.tables.get(key).cloned() else { return };
            let (nullable, check, part, default) = (true, None, None, None);
            let (name, storage) = (new.clone(), is.storage);
            shape.columns.push(HeldColumn { name, storage, nullable, check, part, default });
            let action = Action::AddColumns(vec![new.clone()]);
            self.step(key, Draft::new(Phase::Switch, action, reason.clone()), Some(shape));
        }
        let fill = Fill::Scaled { of: is.name.clone(), times, by };
        self.backfill(key, Phase::Switch, &new, fill, reason.clone(), |_| {});
        if let Some(step) = self.out.steps.last_mut() {
            step.proofs.push(convertible(&is.name, times, by));
        }
        let Some(mut shape) = self.now.tables.get(key).cloned() else { return };
        shape.columns.retain(|column| column.name != is.name);
        for column in shape.columns.iter_mut().filter(|column| column.name == new) {
            column.name.clone_from(&is.name);
            column.part = is.part;
        }
        let action = Action::SwapColumn { from: new, to: is.name.clone() };
        self.step(key, Draft::new(Phase::Switch, action, reason), Some(shape));
    }

    /// Not null and constraints, each proven by a look at the rows.
    fn tighten(&mut self, key: &str, is: &HeldColumn) {
        let Some(now) = self.now.tables.get(key) else { return };
        let Some(was) = now.column(&is.name).cloned() else { return };
        if was.storage != is.storage {
            return;
        }
        let column = self.tables[key].columns.iter().find(|column| column.name == is.name).cloned();
        let fill = column.as_ref().and_then(|column| column.fill.clone());
        let giver = column.as_ref().map(|column| column.giver).unwrap_or_default();
        let mut proofs = Vec::new();
        if was.nullable && !is.nullable {
            let folded = column.as_ref().and_then(|column| self.folded(key, column));
            if let Some(fill) = fill.clone().map(Fill::Constant).or(folded) {
                let reason = "for rows that were written meanwhile".to_owned();
                self.backfill(key, Phase::Contract, &is.name, fill, reason, |_| {});
            }
            proofs.push(has_value(&is.name, giver));
        }
        if let Some(check) =
            is.check.clone().filter(|_| !implies(was.check.as_ref(), is.check.as_ref()))
        {
            proofs.push(within(&is.name, check));
        }
        let Some(now) = self.now.tables.get(key).cloned() else { return };
        let mut tight = now.clone();
        for column in tight.columns.iter_mut().filter(|column| column.name == is.name) {
            *column = HeldColumn { default: column.default.clone(), ..is.clone() };
        }
        if tight != now {
            let reason = match was.nullable && !is.nullable {
                true => format!("`{}` must have a value", is.name),
                false => format!("`{}` has a narrower range", is.name),
            };
            let draft = Draft::new(Phase::Contract, Action::Tighten, reason);
            self.step(key, Draft { proofs, ..draft }, Some(tight.clone()));
        }
        if was.default.is_some()
            || tight.column(&is.name).is_some_and(|held| held.default.is_some())
        {
            let mut shape = tight;
            shape.columns.iter_mut().filter(|held| held.name == is.name).for_each(|held| {
                held.default = None;
            });
            let action = Action::SetDefault(is.name.clone());
            let reason = "new processes write it themselves";
            self.step(key, Draft::new(Phase::Contract, action, reason), Some(shape));
        }
    }

    fn drop_columns(&mut self, key: &str) {
        let Some((now, wanted)) = self.both(key) else { return };
        for held in now.columns.iter().filter(|held| wanted.column(&held.name).is_none()) {
            let Some(mut shape) = self.now.tables.get(key).cloned() else { return };
            shape.columns.retain(|other| other.name != held.name);
            let derived = held.part == Some(Part::Search) || held.name.starts_with(NEW);
            let action = Action::DropColumns(vec![held.name.clone()]);
            let reason = format!("`{}` is in no model", held.name);
            let mut draft = Draft::new(Phase::Contract, action, reason);
            let name = self.place(key, &held.name);
            if self.kept.contains(&name) {
                continue;
            }
            if !derived {
                draft = draft.proven(Proof {
                    holds: Holds::NoValue(held.name.clone()),
                    fault: format!("would lose `{}`", held.name),
                    instead: format!("`--allow-destroy {name}` lets it go"),
                });
                draft = Draft { class: Class::Destroys, destroys: Some(name), ..draft };
            }
            self.step(key, draft, Some(shape));
        }
    }

    /// What only programs know of a table, as the model has it.
    fn remember(&mut self, key: &str) {
        let Some((now, wanted)) = self.both(key) else { return };
        let known = |held: &Held| (held.tenant.clone(), held.owner.clone());
        if known(&now) != known(&wanted) && now.primary_key == wanted.primary_key {
            let (tenant, owner) = known(&wanted);
            let shape = Held { tenant, owner, ..now };
            let draft = Draft::new(Phase::Contract, Action::Tighten, "its owner has another name");
            self.step(key, draft, Some(shape));
        }
    }
}

fn empty(column: &Column) -> Proof {
    let name = &column.name;
    Proof {
        holds: Holds::NoRows,
        fault: format!("would have no `{name}`, which is new and must have a value"),
        instead: match column.giver {
            Giver::Writer => format!("give `{name}` a constant default, or make it `optional`"),
            Giver::Computed => {
                format!("make `{name}` `optional`, {EMPTY_PATCH}, then take `optional` away again")
            }
            Giver::Copied => format!(
                "make `{name}` `optional`: rows get it when the reference that it is copied \
                 through is set anew"
            ),
        },
    }
}

/// What computes the fields of a row.
const EMPTY_PATCH: &str = "send each of those rows a `PATCH` with `{}`, which computes it";

fn has_value(column: &str, giver: Giver) -> Proof {
    Proof {
        holds: Holds::HasValue(column.to_owned()),
        fault: format!("have no `{column}`"),
        instead: match giver {
            Giver::Writer => {
                format!("give `{column}` a constant default, or give those rows a value first")
            }
            Giver::Computed => format!("{EMPTY_PATCH}, first"),
            Giver::Copied => {
                format!("set anew the reference that `{column}` is copied through, first")
            }
        },
    }
}

fn within(column: &str, check: Check) -> Proof {
    let (fault, instead) = match &check {
        Check::OneOf(values) => (
            format!("have a `{column}` other than {}", values.join(", ")),
            "keep that value in the model, or change those rows first",
        ),
        Check::Range { .. } => (
            format!("have a `{column}` outside the range of the model"),
            "widen the range, or change those rows first",
        ),
        Check::Length { .. } => (
            format!("have a `{column}` of a length that the model does not take"),
            "widen the length, or change those rows first",
        ),
    };
    Proof { holds: Holds::Within(column.to_owned(), check), fault, instead: instead.to_owned() }
}

fn convertible(column: &str, times: i64, by: i64) -> Proof {
    let instead = "keep the digits in the model, or change those rows first".to_owned();
    match by > 1 {
        true => Proof {
            holds: Holds::Divisible(column.to_owned(), by),
            fault: format!("have digits of `{column}` that would be cut off"),
            instead,
        },
        false => {
            let most = i64::MAX / times;
            let check = Check::Range { min: Some(-most), max: Some(most) };
            Proof {
                holds: Holds::Within(column.to_owned(), check),
                fault: format!("have a `{column}` too large for more digits"),
                instead,
            }
        }
    }
}
