//! What a call sends: path, body and key, the same at each attempt.

use super::Operation;
use crate::consume::object;
use crate::engine::Failure;
use crate::engine::settle::no_value;
use crate::json::write;
use crate::problem::{Problem, kinds, pointer_token};
use crate::telemetry::trace::TraceContext;
use http::{HeaderName, Method};
use ir::domain::{Parameter, RemoteCall, RemoteId, Repeatable};
use ir::value::Value;
use kernel::expr::{Scope, evaluate};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stands in a segment or a value of a query as it is (RFC 3986, 2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A path with places for values.
pub(super) struct Template(Vec<Part>);

enum Part {
    Text(String),
    /// Index of the parameter.
    Value(usize),
}

impl Template {
    /// Of `/charges/{id}/refund`; what no parameter fills stays as it stands.
    pub(super) fn of(path: &str, parameters: &[Parameter]) -> Self {
        let mut parts = Vec::new();
        let mut rest = path;
        while let Some((before, behind)) = rest.split_once('{') {
            let Some((name, after)) = behind.split_once('}') else { break };
            parts.push(Part::Text(before.to_owned()));
            match parameters.iter().position(|one| one.name == name) {
                Some(at) => parts.push(Part::Value(at)),
                None => parts.push(Part::Text(format!("{{{name}}}"))),
            }
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        Self(parts)
    }

    fn fill(&self, values: &[Value]) -> String {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Value(at) => out.push_str(&encoded(&values[*at])),
            }
        }
        out
    }
}

/// A value as it stands in a path or query.
fn encoded(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::Text(text) => text.to_string(),
        other => {
            let mut json = Vec::new();
            write::value(&mut json, other);
            let json = String::from_utf8(json).unwrap_or_default();
            json.trim_matches('"').to_owned()
        }
    };
    utf8_percent_encode(&text, ENCODED).to_string()
}

/// A call, ready to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    /// Of which operation.
    pub(crate) of: RemoteId,
    /// Behind the address of the system.
    pub(super) path: String,
    /// Where to ask what came of it.
    pub(super) lookup: Option<String>,
    pub(super) body: Option<Vec<u8>>,
    pub(super) key_header: Option<HeaderName>,
    pub(super) key: String,
    pub(super) trace: TraceContext,
}

impl Outgoing {
    pub(super) fn of(
        operation: &Operation,
        call: &RemoteCall,
        scope: &dyn Scope,
        key: String,
        trace: TraceContext,
    ) -> Result<Self, Failure> {
        let values = values(operation, call, scope)?;
        let parameters = &operation.of.parameters;
        let sent = parameters
            .iter()
            .zip(&values)
            .filter(|(parameter, value)| !parameter.in_path && **value != Value::Null);
        let sent = sent.map(|(parameter, value)| (parameter.name.as_str(), value.clone()));
        let mut path = operation.path.fill(&values);
        // What such a method would carry in a body is dropped on the way (RFC 9110, 9.3.1).
        let bare = [Method::GET, Method::HEAD, Method::DELETE].contains(&operation.method);
        let body = match bare {
            true => {
                for (name, value) in sent {
                    path.push(if path.contains('?') { '&' } else { '?' });
                    path.push_str(&format!("{name}={}", encoded(&value)));
                }
                None
            }
            false => (parameters.iter().any(|one| !one.in_path)).then(|| object(sent)),
        };
        let key_header = match &operation.of.repeatable {
            Repeatable::Key(name) => HeaderName::try_from(name.as_str()).ok(),
            Repeatable::Method | Repeatable::No => None,
        };
        let lookup = operation.lookup.as_ref().map(|(_, path)| path.fill(&values));
        Ok(Self { of: call.of, path, lookup, body, key_header, key, trace })
    }
}

/// What each parameter is given.
fn values(
    operation: &Operation,
    call: &RemoteCall,
    scope: &dyn Scope,
) -> Result<Vec<Value>, Failure> {
    let mut values = Vec::new();
    for (at, parameter) in operation.of.parameters.iter().enumerate() {
        let given = call.with.iter().find(|(given, _)| *given == at).map(|(_, expr)| expr);
        let value = match given.or(parameter.default.as_ref()) {
            Some(expr) => evaluate(expr, scope)
                .map_err(|fault| no_value(fault, format!("/{}", pointer_token(&parameter.name))))?
                .into_owned(),
            None => Value::Null,
        };
        if value == Value::Null && !parameter.optional {
            let at = format!("/{}", pointer_token(&parameter.name));
            let detail = format!("is null, and `{}` needs it", operation.of.name);
            return Err(Box::new(Problem::new(kinds::INVALID_VALUE).at(at, detail)));
        }
        values.push(value);
    }
    Ok(values)
}
