//! Who may do what: grants asked of one row, or turned into the condition of a list.

use super::{Failure, problem};
use crate::problem::{Problem, kinds};
use crate::request::Call;
use ir::domain::Grant;
use ir::expr::{Expr, ExprKind, Type};
use kernel::expr::{Scope, holds};
use std::borrow::Cow;

/// True where some grant speaks of the caller and its condition holds in the scope. A fault in a
/// condition denies.
pub(crate) fn allows(call: &Call, grants: &[Grant], scope: &dyn Scope) -> bool {
    allowing(call, grants, scope).is_some()
}

/// The first grant that allows it.
pub(crate) fn allowing<'g>(
    call: &Call,
    grants: &'g [Grant],
    scope: &dyn Scope,
) -> Option<&'g Grant> {
    grants.iter().find(|grant| {
        call.is(&grant.caller)
            && grant.when.as_ref().is_none_or(|when| holds(when, scope).unwrap_or(false))
    })
}

/// True where some grant speaks of the caller, whatever its condition.
pub(crate) fn concerns(call: &Call, grants: &[Grant]) -> bool {
    grants.iter().any(|grant| call.is(&grant.caller))
}

/// True where a grant without condition speaks of the caller.
pub(crate) fn always(call: &Call, grants: &[Grant]) -> bool {
    grants.iter().any(|grant| call.is(&grant.caller) && grant.when.is_none())
}

/// The rows that grants allow the caller.
#[derive(Debug, PartialEq)]
pub(crate) enum Reach<'p> {
    /// Every row.
    All,
    /// None.
    Nothing,
    /// Those for which this holds.
    Some(Cow<'p, Expr>),
}

/// Which rows the grants allow the caller.
pub(crate) fn reach<'p>(call: &Call, grants: &'p [Grant]) -> Reach<'p> {
    if always(call, grants) {
        return Reach::All;
    }
    let mut conditions = grants
        .iter()
        .filter(|grant| call.is(&grant.caller))
        .filter_map(|grant| grant.when.as_ref());
    match (conditions.next(), conditions.next()) {
        (None, _) => Reach::Nothing,
        (Some(only), None) => Reach::Some(Cow::Borrowed(only)),
        (Some(first), Some(second)) => {
            let any = [first, second].into_iter().chain(conditions).cloned().collect();
            Reach::Some(Cow::Owned(Expr { kind: ExprKind::Or(any), ty: Type::Bool }))
        }
    }
}

/// The answer to who may see a thing but not do that to it: names the rules that would allow it.
/// `what` completes "may …".
pub(crate) fn denied(call: &Call, grants: &[Grant], what: &str) -> Failure {
    if call.principal.is_none() {
        return unauthenticated();
    }
    let detail = if grants.is_empty() {
        format!("no rule lets anybody {what}")
    } else {
        format!("only {} may {what}", named(grants))
    };
    let rules: Vec<&str> = grants.iter().map(|grant| grant.text.as_str()).collect();
    Box::new(Problem::new(kinds::FORBIDDEN).detail(detail).member("rules", rules))
}

/// The answer to a call without token that needs one.
pub(crate) fn unauthenticated() -> Failure {
    let problem = problem(kinds::UNAUTHENTICATED);
    Box::new(problem.header(http::header::WWW_AUTHENTICATE, "Bearer"))
}

/// `a`, `b` or `c`, each in backticks.
pub(crate) fn named(grants: &[Grant]) -> String {
    let names: Vec<String> = grants.iter().map(|grant| format!("`{}`", grant.text)).collect();
    match names.as_slice() {
        [] => "nobody".to_owned(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}
