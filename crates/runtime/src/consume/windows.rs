//! Events counted in windows of time: which rows they go into, sessions that become one, and rows
//! that are closed. What the store keeps are the rows alone: the watermark follows from the
//! greatest time in them.

use super::folding::{Folded, Folding, Row, Step, row_id};
use crate::engine::settle::no_value;
use crate::ports::store::{ListQuery, Unavailable, Write};
use crate::record::Record;
use ir::domain::{FieldId, View, Window, Windows};
use ir::expr::{Expr, ExprKind, FieldRef, Implicit, Operator, Type};
use ir::value::Value;
use kernel::projection::merge_rows;
use kernel::window::{Joined, Span, Watermark, holding, join, windows_max};
use std::borrow::Cow;

/// Rows that are read at once, and that one commit closes beside those that it folds into.
const ROWS_MAX: u32 = 512;
/// Keys whose sessions are asked for at once.
const GROUPS_MAX: usize = 100;

/// Rows of a view that one event may go into.
pub(super) fn windows_of(view: &View) -> u32 {
    let windows = view.window.map_or(1, |window| windows_max(window.windows));
    u32::try_from(windows).unwrap_or(u32::MAX).max(1)
}

fn field(field: FieldId, ty: Type) -> Expr {
    Expr { kind: ExprKind::Field(FieldRef::Field(field)), ty }
}

fn literal(value: Value, ty: Type) -> Expr {
    Expr { kind: ExprKind::Literal(value), ty }
}

fn compared(of: FieldId, operator: Operator, value: Value, ty: Type) -> Expr {
    let (left, right) = (Box::new(field(of, ty.clone())), Box::new(literal(value, ty)));
    Expr { kind: ExprKind::Compare(operator, left, right), ty: Type::Bool }
}

fn at(of: FieldId, operator: Operator, time: i64) -> Expr {
    compared(of, operator, Value::Timestamp(time), Type::Timestamp)
}

fn time(record: &Record, of: FieldId) -> Option<i64> {
    match record.value(of) {
        Value::Timestamp(time) => Some(*time),
        _ => None,
    }
}

impl Folding<'_> {
    /// The rows that events may go into, the sessions near them, and how far time has come.
    pub(super) async fn read_windows(
        &self,
        window: &Window,
        steps: &[Step<'_>],
    ) -> Result<Folded, Unavailable> {
        let mut rows = self.nothing();
        rows.watermark = Watermark::new(window.late_micros, self.seen(window).await?);
        match (window.windows, window.group) {
            (Windows::Session { gap_micros }, Some(group)) => {
                self.read_sessions(&mut rows, (window, group, gap_micros), steps).await?;
            }
            _ => {
                let of = |step: &Step<'_>| -> Vec<u128> {
                    let held = holding(window.windows, step.event.time).into_iter();
                    held.map(|span| self.window_id(window, step, span)).collect()
                };
                self.read_rows(&mut rows, steps.iter().flat_map(of).collect()).await?;
            }
        }
        Ok(rows)
    }

    /// The greatest time of an event in the rows: it is in the window that ends last.
    async fn seen(&self, window: &Window) -> Result<Option<i64>, Unavailable> {
        let key = |field| (FieldRef::Field(field), true);
        let id = (FieldRef::Implicit(Implicit::Id), false);
        let query = ListQuery {
            resource: self.id,
            filter: Vec::new(),
            search: Vec::new(),
            sort: vec![key(window.end), key(window.seen), id],
            after: None,
            rows_max: 1,
            children: &[],
        };
        let last = self.store().list(self.tenant(), &query, &self.bindings).await?;
        Ok(last.first().and_then(|row| time(row, window.seen)))
    }

    /// A page of rows for which all of that holds, in the order of their ids.
    async fn page(&self, filter: &[Expr], after: Option<u128>) -> Result<Vec<Record>, Unavailable> {
        let query = ListQuery {
            resource: self.id,
            filter: filter.iter().map(Cow::Borrowed).collect(),
            search: Vec::new(),
            sort: vec![(FieldRef::Implicit(Implicit::Id), false)],
            after: after.map(|id| vec![Value::Uuid(id)]),
            rows_max: ROWS_MAX,
            children: &[],
        };
        self.store().list(self.tenant(), &query, &self.bindings).await
    }

    async fn read_sessions(
        &self,
        rows: &mut Folded,
        (window, group, gap_micros): (&Window, FieldId, i64),
        steps: &[Step<'_>],
    ) -> Result<(), Unavailable> {
        let times = || steps.iter().map(|step| step.event.time);
        let Some((first, last)) = times().min().zip(times().max()) else { return Ok(()) };
        let mut groups: Vec<u128> = steps.iter().map(|step| step.row).collect();
        groups.sort_unstable();
        groups.dedup();
        for some in groups.chunks(GROUPS_MAX) {
            let all = some.iter().map(|group| literal(Value::Uuid(*group), Type::Uuid)).collect();
            let kind = ExprKind::In(Box::new(field(group, Type::Uuid)), all);
            let filter = [
                Expr { kind, ty: Type::Bool },
                at(window.end, Operator::Greater, first),
                at(window.start, Operator::Less, last.saturating_add(gap_micros)),
            ];
            let mut after = None;
            loop {
                let page = self.page(&filter, after).await?;
                let more = page.len() >= ROWS_MAX as usize;
                after = page.last().map(|row| row.id);
                for row in page {
                    let (id, of) = (row.id, row.value(group).clone());
                    let span = time(&row, window.start).zip(time(&row, window.end));
                    if let (Value::Uuid(of), Some((start, end))) = (of, span) {
                        rows.sessions.entry(of).or_default().insert(start, (end, id));
                    }
                    rows.rows.insert(id, Row { old: Some(row.clone()), new: Some(row) });
                }
                if !more {
                    break;
                }
            }
        }
        Ok(())
    }

    /// The id of the row of a window; a session is known by its beginning.
    fn window_id(&self, window: &Window, step: &Step<'_>, span: Span) -> u128 {
        let mut key = step.key.clone();
        key.push((window.start, Value::Timestamp(span.start)));
        if window.group.is_none() {
            key.push((window.end, Value::Timestamp(span.end)));
        }
        row_id(&self.engine.plan.domain, self.id, &key)
    }

    /// Folds an event into the windows that hold it and are not closed.
    pub(super) fn fold_windows(&self, rows: &mut Folded, window: &Window, step: &Step<'_>) {
        let time = step.event.time;
        let folded = match (window.windows, window.group) {
            (Windows::Session { gap_micros }, Some(group)) => {
                self.fold_session(rows, (window, group, gap_micros), step)
            }
            _ => {
                let (mut folded, mut late) = (false, false);
                for span in holding(window.windows, time) {
                    if rows.watermark.has_passed(span.end) {
                        late = true;
                    } else {
                        let id = self.window_id(window, step, span);
                        folded |= self.fold_into(rows, id, step, Some(span));
                    }
                }
                rows.late += u64::from(late);
                folded
            }
        };
        // Only what is in a row moves time on: who reads the rows later has to come to the same.
        if folded {
            rows.watermark.see(time);
        }
    }

    fn fold_session(
        &self,
        rows: &mut Folded,
        (window, group, gap_micros): (&Window, FieldId, i64),
        step: &Step<'_>,
    ) -> bool {
        let time = step.event.time;
        let sessions = rows.sessions.entry(step.row).or_default();
        let near = sessions.range(..time.saturating_add(gap_micros)).rev();
        let near = near.take_while(|(_, (end, _))| *end > time);
        let near = near.map(|(start, (end, id))| (Span { start: *start, end: *end }, *id));
        let mut near: Vec<(Span, u128)> = near.collect();
        near.reverse();
        let spans = near.iter().map(|(span, _)| *span);
        let (span, of) = match join(gap_micros, time, spans, &rows.watermark) {
            Joined::Late => {
                rows.late += 1;
                return false;
            }
            Joined::Session { span, of } => (span, of),
        };
        let joined: Vec<(Span, u128)> = of.into_iter().map(|at| near[at]).collect();
        let id = self.window_id(window, step, span);
        let mut record = self.blank(id, &step.key, Some(span));
        record.values[group.index()] = Value::Uuid(step.row);
        let parts = joined.iter().filter_map(|(_, id)| rows.rows.get(id)?.new.as_ref());
        let parts: Vec<&Record> = parts.collect();
        let values = match self.joined(&record, &parts, step) {
            Ok(values) => values,
            Err(fault) => {
                self.left_out(step.event, &no_value(fault, String::new()));
                return false;
            }
        };
        for (field, value) in values {
            record.values[field.index()] = value;
        }
        for (span, id) in joined {
            sessions.remove(&span.start);
            rows.rows.entry(id).or_default().new = None;
        }
        sessions.insert(span.start, (span.end, id));
        rows.rows.entry(id).or_default().new = Some(record);
        true
    }

    /// The folds of sessions that become one with an event between or beside them.
    fn joined(
        &self,
        blank: &Record,
        parts: &[&Record],
        step: &Step<'_>,
    ) -> Result<Vec<(FieldId, Value)>, kernel::expr::Fault> {
        let Some((first, others)) = parts.split_first() else { return self.folded(None, step) };
        let mut merged = Record { values: first.values.clone(), ..blank.clone() };
        for other in others {
            let (one, other) = (|of| merged.value(of).clone(), |of| other.value(of).clone());
            for (field, value) in merge_rows(&self.view.folds, &one, &other)? {
                merged.values[field.index()] = value;
            }
        }
        self.folded(Some(&merged), step)
    }

    /// Marks the rows whose windows are closed now.
    pub(super) fn close(&self, rows: &mut Folded) {
        let Some(window) = &self.view.window else { return };
        for row in rows.rows.values_mut().filter_map(|row| row.new.as_mut()) {
            if time(row, window.end).is_some_and(|end| rows.watermark.has_passed(end)) {
                row.values[window.closed.index()] = Value::Bool(true);
            }
        }
    }

    /// Changes of other rows, whose windows are closed as time went on from where it was, behind a
    /// row; and the last of them where there may be more.
    pub(super) async fn closing(
        &self,
        (before, rows): (&Watermark, &Folded),
        after: Option<u128>,
    ) -> Result<(Vec<Write>, Option<u128>), Unavailable> {
        let Some(window) = &self.view.window else { return Ok((Vec::new(), None)) };
        let (Some(from), Some(to)) = (before.at(), rows.watermark.at()) else {
            return Ok((Vec::new(), None));
        };
        if from >= to {
            return Ok((Vec::new(), None));
        }
        let filter = [
            at(window.end, Operator::Greater, from),
            at(window.end, Operator::LessEqual, to),
            compared(window.closed, Operator::Equal, Value::Bool(false), Type::Bool),
        ];
        let page = self.page(&filter, after).await?;
        let more = page.last().map(|row| row.id).filter(|_| page.len() >= ROWS_MAX as usize);
        let others = page.into_iter().filter(|row| !rows.rows.contains_key(&row.id));
        let closed = |row: Record| {
            let mut new = row.clone();
            new.values[window.closed.index()] = Value::Bool(true);
            self.write(Some(row), new)
        };
        Ok((others.filter_map(closed).collect(), more))
    }
}
