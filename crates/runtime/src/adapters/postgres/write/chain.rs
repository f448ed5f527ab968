//! The statements of a set as one, which is a transaction by itself: one round trip, one commit.
//!
//! The parts of a statement do not see what the others did, so only sets of a single change are
//! joined. Where its first statement decides by the rows it changes, those behind it take their
//! rows from what it returns: they do nothing where it did nothing.

use super::{Nothing, Step, Work};
use crate::adapters::sql::plan::Plan;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, PoisonError, RwLock};

/// Parameters of a statement at most; the protocol counts them with sixteen bits.
const PARAMETERS_MAX: usize = 16_384;
/// How a query begins.
const SELECT: &str = "SELECT ";
/// Joined texts that are kept.
const KEPT_MAX: usize = 1_024;

/// Joined texts by the texts that they are of.
#[derive(Default)]
pub(in super::super) struct Chains {
    hasher: RandomState,
    known: RwLock<HashMap<u64, Arc<Chain>>>,
}

/// Statements as one.
pub(super) struct Chain {
    parts: Vec<String>,
    /// All of them.
    pub(super) text: String,
}

impl Chains {
    /// The text of all steps; none where they can't be one statement.
    pub(super) fn joined(&self, plan: &Plan, work: &[Work<'_>]) -> Option<Arc<Chain>> {
        let steps: Option<Vec<&Step<'_>>> = work.iter().map(Work::step).collect();
        let steps = steps.filter(|steps| steps.len() > 1 && can_be_one(plan, steps))?;
        let hash = self.hasher.hash_one(Texts(&steps));
        let is = |chain: &&Arc<Chain>| {
            let same = |(part, step): (&String, &&Step<'_>)| **part == *step.text;
            chain.parts.len() == steps.len() && chain.parts.iter().zip(&steps).all(same)
        };
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(chain) = known.get(&hash).filter(is) {
            return Some(Arc::clone(chain));
        }
        drop(known);
        let parts = steps.iter().map(|step| step.text.to_string()).collect();
        let chain = Arc::new(Chain { parts, text: text(&steps)? });
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT_MAX {
            known.clear();
        }
        known.insert(hash, Arc::clone(&chain));
        Some(chain)
    }
}

struct Texts<'a>(&'a [&'a Step<'a>]);

impl std::hash::Hash for Texts<'_> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.iter().for_each(|step| step.text.hash(state));
    }
}

/// True where no statement but the first decides anything, and those that insert several rows,
/// which do not wait for it, fail by their owner's key where it did nothing.
fn can_be_one(plan: &Plan, steps: &[&Step<'_>]) -> bool {
    let (first, rest) = (steps[0], &steps[1..]);
    let falls = |step: &&Step<'_>| {
        let keys = &plan.schema.table(step.row.resource).foreign_keys;
        !step.several
            || first.nothing == Nothing::Fine
            || keys.iter().any(|key| key.field.is_none())
    };
    // A query that nobody reads of is not run: only the last may be one.
    let runs = |step: &&Step<'_>| !step.text.starts_with(SELECT);
    matches!(first.nothing, Nothing::Fine | Nothing::Conflict | Nothing::AnswerExists)
        && steps[..steps.len() - 1].iter().all(runs)
        && rest.iter().all(|step| step.nothing == Nothing::Fine)
        && rest.iter().all(falls)
        && steps.iter().map(|step| step.values.len()).sum::<usize>() <= PARAMETERS_MAX
}

/// None where a statement has no form that could wait for the first.
fn text(steps: &[&Step<'_>]) -> Option<String> {
    let decides = steps[0].nothing != Nothing::Fine;
    let (mut text, mut before) = (String::from("WITH "), 0);
    for (at, step) in steps.iter().enumerate() {
        let own = match decides && at > 0 && !step.several {
            true => behind(&step.text)?,
            false => step.text.to_string(),
        };
        let own = numbered_from(&own, before);
        before += step.values.len();
        // Writing to a string can't fail.
        let _written = match at {
            0 if decides => write!(text, "c0 AS ({own} RETURNING 1)"),
            _ if at + 1 == steps.len() => write!(text, " {own}"),
            0 => write!(text, "c0 AS ({own})"),
            _ => write!(text, ", c{at} AS ({own})"),
        };
    }
    Some(text)
}

/// The statement for each row that the first one returns.
fn behind(text: &str) -> Option<String> {
    if text.starts_with(SELECT) && !text.contains(" FROM ") {
        return Some(format!("{text} FROM c0"));
    }
    // The last: a column may be called by any words, a value is a parameter.
    let (into, values) = text.rsplit_once(") VALUES (")?;
    let values = values.strip_suffix(')')?;
    Some(format!("{into}) SELECT {values} FROM c0"))
}

/// The text with parameters behind so many others.
fn numbered_from(text: &str, before: usize) -> String {
    if before == 0 {
        return text.to_owned();
    }
    let (mut out, mut quoted) = (String::with_capacity(text.len() + 16), None);
    let mut left = text.chars().peekable();
    while let Some(c) = left.next() {
        out.push(c);
        match (c, quoted) {
            ('"' | '\'', None) => quoted = Some(c),
            (c, Some(mark)) if c == mark => quoted = None,
            ('$', None) => {
                let mut number = 0;
                while let Some(digit) = left.peek().and_then(|digit| digit.to_digit(10)) {
                    number = number * 10 + digit as usize;
                    left.next();
                }
                // Writing to a string can't fail.
                let _written = write!(out, "{}", number + before);
            }
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::postgres::write::Row;
    use ir::domain::ResourceId;

    fn step(text: &'static str, values: usize, nothing: Nothing) -> Step<'static> {
        let row = Row { write: 0, resource: ResourceId(0), record: None };
        let value = |_| super::super::text("value");
        let values = (0..values).map(value).collect();
        Step { text: text.into(), values, row, nothing, several: false }
    }

    #[test]
    fn statements_behind_one_that_decides_take_their_rows_from_it() {
        let guard = step("UPDATE t SET a = $1 WHERE id = $2", 2, Nothing::Conflict);
        let event = step("INSERT INTO o (a, b) VALUES ($1, $2)", 2, Nothing::Fine);
        let entry = step("SELECT append($1)", 1, Nothing::Fine);
        assert_eq!(
            text(&[&guard, &event, &entry]).as_deref(),
            Some(
                "WITH c0 AS (UPDATE t SET a = $1 WHERE id = $2 RETURNING 1), \
                 c1 AS (INSERT INTO o (a, b) SELECT $3, $4 FROM c0) SELECT append($5) FROM c0"
            )
        );
        let odd = step("INSERT INTO o (\"x) VALUES (y\") VALUES ($1)", 1, Nothing::Fine);
        let joined = text(&[&guard, &odd]).expect("it can be joined");
        let end = " INSERT INTO o (\"x) VALUES (y\") SELECT $3 FROM c0";
        assert!(joined.ends_with(end), "{joined}");
        let upsert = step("INSERT INTO o (a) VALUES ($1) ON CONFLICT DO NOTHING", 1, Nothing::Fine);
        assert_eq!(text(&[&guard, &upsert]), None);
    }

    #[test]
    fn statements_that_decide_nothing_stay_as_they_are() {
        let one = step("INSERT INTO a (\"$1\") VALUES ($1)", 1, Nothing::Fine);
        let other = step("INSERT INTO b (\"$1\", c) VALUES ($1, '$2')", 1, Nothing::Fine);
        assert_eq!(
            text(&[&one, &other]).as_deref(),
            Some(
                "WITH c0 AS (INSERT INTO a (\"$1\") VALUES ($1)) \
                 INSERT INTO b (\"$1\", c) VALUES ($2, '$2')"
            )
        );
    }
}
