//! Folds of values, and every interleaving of two who fold the same events.

use super::*;
use crate::explore::{Explored, World, explore};
use ir::expr::{Aggregate, Expr, ExprKind, FieldRef, Type};
use ir::value::Currency;
use std::borrow::Cow;

struct Event(Value);

impl Scope for Event {
    fn field(&self, _field: FieldRef) -> Cow<'_, Value> {
        Cow::Owned(Value::Null)
    }

    fn me(&self) -> Option<&str> {
        None
    }

    fn now(&self) -> i64 {
        0
    }

    fn event_data(&self, _name: &str) -> Cow<'_, Value> {
        Cow::Borrowed(&self.0)
    }
}

fn folded(aggregate: Aggregate, ty: Type, values: &[Value]) -> Result<Value, Fault> {
    let kind = ExprKind::EventData("amount".into());
    let folds = [Fold { field: FieldId(0), aggregate, of: Some(Expr { kind, ty }) }];
    let mut kept: Option<Value> = None;
    for value in values {
        let before = kept.clone();
        let read = |_| before.clone().unwrap_or_default();
        let row: Option<&dyn Fn(FieldId) -> Value> = before.is_some().then_some(&read);
        let mut after = fold_event(&folds, row, &Event(value.clone()))?;
        kept = after.pop().map(|(_, value)| value);
    }
    Ok(kept.expect("at least one event"))
}

fn euros(units: i64) -> Value {
    Value::Money { units, currency: Currency(*b"EUR") }
}

fn open_money() -> Type {
    Type::Money { currency: None }
}

#[test]
fn folds_go_on_from_what_is_kept() {
    use Aggregate::{Count, Max, Min, Sum};
    let ints = [Value::Int(3), Value::Null, Value::Int(-1)];
    assert_eq!(folded(Sum, Type::Int, &ints), Ok(Value::Int(2)));
    assert_eq!(folded(Count, Type::Int, &ints), Ok(Value::Int(2)));
    assert_eq!(folded(Min, Type::Int, &ints), Ok(Value::Int(-1)));
    assert_eq!(folded(Max, Type::Int, &ints), Ok(Value::Int(3)));
    let money = [Value::Null, euros(5), euros(7)];
    assert_eq!(folded(Sum, open_money(), &money), Ok(euros(12)));
    let decimal = |units, scale| Value::Decimal { units, scale };
    let ty = Type::Decimal { precision: 9, scale: 2 };
    assert_eq!(folded(Sum, ty, &[decimal(150, 2), decimal(25, 1)]), Ok(decimal(400, 2)));
}

#[test]
fn a_fold_of_nothing_is_zero_or_null() {
    let null = [Value::Null];
    assert_eq!(folded(Aggregate::Sum, Type::Int, &null), Ok(Value::Int(0)));
    assert_eq!(folded(Aggregate::Count, Type::Int, &null), Ok(Value::Int(0)));
    assert_eq!(folded(Aggregate::Min, Type::Int, &null), Ok(Value::Null));
    assert_eq!(folded(Aggregate::Sum, open_money(), &null), Ok(Value::Null));
}

#[test]
fn a_count_of_events_counts_them_all() {
    let folds = [Fold { field: FieldId(3), aggregate: Aggregate::Count, of: None }];
    let read = |_| Value::Int(41);
    let row: Option<&dyn Fn(FieldId) -> Value> = Some(&read);
    let after = fold_event(&folds, row, &Event(Value::Null));
    assert_eq!(after, Ok(vec![(FieldId(3), Value::Int(42))]));
    let first = fold_event(&folds, None, &Event(Value::Null));
    assert_eq!(first, Ok(vec![(FieldId(3), Value::Int(1))]));
}

#[test]
fn the_folds_of_two_rows_are_those_of_all_their_events() {
    use Aggregate::{Count, Max, Min, Sum};
    let values = [Value::Int(3), Value::Null, Value::Int(-1), Value::Int(7), Value::Null];
    let merged = |aggregate, ty: Type, one: Value, other: Value| {
        let kind = ExprKind::EventData("amount".into());
        let folds = [Fold { field: FieldId(0), aggregate, of: Some(Expr { kind, ty }) }];
        let row = merge_rows(&folds, &|_| one.clone(), &|_| other.clone());
        row.map(|mut row| row.remove(0).1)
    };
    for aggregate in [Count, Max, Min, Sum] {
        let of = |values: &[Value]| folded(aggregate, Type::Int, values).expect("a value");
        for at in 1..values.len() {
            let (one, other) = values.split_at(at);
            let both = merged(aggregate, Type::Int, of(one), of(other));
            assert_eq!(both, Ok(of(&values)), "{aggregate:?} {at}");
        }
    }
    let both = merged(Sum, open_money(), Value::Null, euros(5));
    assert_eq!(both, Ok(euros(5)), "a sum of nothing has no currency");
    let wide = merged(Count, Type::Int, Value::Int(i64::MAX), Value::Int(1));
    assert_eq!(wide, Err(Fault::Overflow));
}

#[test]
fn unlike_currencies_and_what_leaves_its_range_are_faults() {
    let dollars = Value::Money { units: 1, currency: Currency(*b"USD") };
    let mixed = [euros(1), dollars];
    let fault = Err(Fault::MixedCurrencies);
    for aggregate in [Aggregate::Sum, Aggregate::Min, Aggregate::Max] {
        assert_eq!(folded(aggregate, open_money(), &mixed), fault);
    }
    let wide = [Value::Int(i64::MAX), Value::Int(1)];
    assert_eq!(folded(Aggregate::Sum, Type::Int, &wide), Err(Fault::Overflow));
    assert_eq!(folded(Aggregate::Avg, Type::Int, &wide), Err(Fault::Mismatch));
}

#[test]
fn a_rebuild_clears_rows_and_checkpoint_and_folds_from_zero() {
    let (mut projection, _) = Projection::begin();
    assert_eq!(projection.step(Input::Rebuild), None);
    let clear = Some(Action::Clear { expected: 9 });
    assert_eq!(projection.step(Input::Reached { position: 9 }), clear);
    assert_eq!(projection.step(Input::Committed), Some(Action::Replay));
    let fold = Action::Fold { positions: vec![4, 9], expected: 0, position: 9 };
    assert_eq!(projection.step(Input::Events { positions: vec![4, 9] }), Some(fold));
    assert_eq!(projection.step(Input::Committed), Some(Action::Folded { position: 9 }));
}

/// What is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mutation {
    None,
    CheckpointAfterwards,
    NoFencing,
    RowsReadLater,
}

/// One who folds: its machine, what it has to do, and, once read, the row.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Folder {
    machine: Projection,
    action: Option<Action>,
    row: Option<Vec<i64>>,
    /// A checkpoint that is written after its rows ([`Mutation::CheckpointAfterwards`]).
    late: Option<i64>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct View {
    mutation: Mutation,
    crashes: u8,
    rebuilds: u8,
    last: i64,
    /// Which events are in the row.
    row: Vec<i64>,
    reached: i64,
    folders: [Option<Folder>; 2],
}

const NAMES: [&str; 2] = ["A", "B"];

impl View {
    fn folder(&mut self, who: usize) -> &mut Folder {
        self.folders[who].as_mut().expect("a folder that acts is there")
    }

    fn give(&mut self, who: usize, input: Input) {
        let folder = self.folder(who);
        folder.row = None;
        folder.action = folder.machine.step(input);
    }

    fn commit(&mut self, who: usize, expected: i64, position: i64, row: Vec<i64>) -> String {
        if self.reached != expected && self.mutation != Mutation::NoFencing {
            self.give(who, Input::Refused);
            return format!("{} is refused", NAMES[who]);
        }
        self.row = row;
        if self.mutation == Mutation::CheckpointAfterwards {
            self.folder(who).late = Some(position);
            return format!("{} commits {:?} alone", NAMES[who], self.row);
        }
        self.reached = position;
        self.give(who, Input::Committed);
        format!("{} commits {:?} at {position}", NAMES[who], self.row)
    }

    fn acts(&self, who: usize, folder: &Folder, action: &Action) -> (String, Self) {
        let name = NAMES[who];
        let mut next = self.clone();
        let told = match action {
            Action::ReadCheckpoint => {
                next.give(who, Input::Reached { position: self.reached });
                format!("{name} reads the checkpoint {}", self.reached)
            }
            Action::Fold { positions, expected, position } => match &folder.row {
                None if self.reached != *expected && self.mutation == Mutation::None => {
                    next.give(who, Input::Refused);
                    format!("{name} reads the checkpoint {} with the row", self.reached)
                }
                None => {
                    next.folder(who).row = Some(self.row.clone());
                    format!("{name} reads the row {:?}", self.row)
                }
                Some(row) => {
                    let row = row.iter().chain(positions).copied().collect();
                    next.commit(who, *expected, *position, row)
                }
            },
            Action::Clear { expected } => next.commit(who, *expected, 0, Vec::new()),
            Action::Folded { .. } | Action::Replay => {
                next.give(who, Input::Events { positions: (1..=self.last).collect() });
                format!("{name} is given all events")
            }
        };
        (told, next)
    }
}

impl World for View {
    fn next(&self) -> Vec<(String, Self)> {
        let mut all = Vec::new();
        for (who, folder) in self.folders.iter().enumerate() {
            let mut next = self.clone();
            let Some(folder) = folder else {
                let (machine, action) = Projection::begin();
                let action = Some(action);
                next.folders[who] = Some(Folder { machine, action, row: None, late: None });
                all.push((format!("{} begins", NAMES[who]), next));
                continue;
            };
            if self.crashes > 0 {
                next.crashes -= 1;
                next.folders[who] = None;
                all.push((format!("{} crashes", NAMES[who]), next.clone()));
                next = self.clone();
            }
            if let Some(position) = folder.late {
                next.reached = position;
                next.folder(who).late = None;
                next.give(who, Input::Committed);
                all.push((format!("{} writes the checkpoint {position}", NAMES[who]), next));
            } else if let Some(action) = &folder.action {
                all.push(self.acts(who, folder, action));
            } else {
                next.give(who, Input::Events { positions: (1..=self.last).collect() });
                all.push((format!("{} is given all events", NAMES[who]), next.clone()));
                if self.rebuilds > 0 {
                    let mut next = self.clone();
                    next.rebuilds -= 1;
                    next.give(who, Input::Rebuild);
                    all.push((format!("{} is to rebuild", NAMES[who]), next));
                }
            }
        }
        all
    }

    fn wrong(&self) -> Option<String> {
        let twice = self.row.iter().enumerate().find(|(at, one)| self.row[..*at].contains(one));
        if let Some((_, event)) = twice {
            return Some(format!("{event} is folded twice"));
        }
        let late = self.folders.iter().flatten().any(|folder| folder.late.is_some());
        let differs = self.row.iter().copied().ne(1..=self.reached);
        let crashing = self.mutation == Mutation::CheckpointAfterwards;
        (differs && !late && !crashing)
            .then(|| format!("the row has {:?} at {}", self.row, self.reached))
    }

    fn is_end(&self) -> bool {
        self.reached == self.last
    }
}

fn view(mutation: Mutation) -> View {
    let folders = [None, None];
    View { mutation, crashes: 1, rebuilds: 1, last: 2, row: vec![], reached: 0, folders }
}

#[test]
fn two_who_fold_the_same_events_fold_each_once() {
    let found = explore(view(Mutation::None), 100_000);
    assert_eq!(found, Ok(Explored { states: 335, ends: 174 }));
}

#[test]
fn a_checkpoint_that_is_not_written_with_the_rows_folds_twice() {
    let story = explore(view(Mutation::CheckpointAfterwards), 100_000).unwrap_err();
    assert!(story.ends_with("1 is folded twice\n"), "{story}");
}

#[test]
fn without_fencing_an_event_is_folded_twice() {
    let story = explore(view(Mutation::NoFencing), 100_000).unwrap_err();
    assert!(story.ends_with("1 is folded twice\n"), "{story}");
}

#[test]
fn rows_that_are_read_later_than_the_checkpoint_meet_a_rebuild() {
    let story = explore(view(Mutation::RowsReadLater), 100_000).unwrap_err();
    assert!(story.contains("is to rebuild") && story.ends_with("is folded twice\n"), "{story}");
}
