//! Values of seed files as the API takes them: JSON of the field's type, names of rows as ids.

use super::Tree;
use ir::domain::{Domain, Field, Kind, Resource, ResourceId};
use ir::model::FieldType;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Ids of the rows that were made, by resource and name.
pub(super) type Made = BTreeMap<(ResourceId, String), String>;

/// A body: every field as its type wants it. `Err` names the field.
pub(super) fn body(
    domain: &Domain,
    fields: &[Field],
    values: &[(String, Tree)],
    made: &Made,
) -> Result<Value, String> {
    let mut body = Map::new();
    for (name, value) in values {
        let field = fields.iter().find(|field| field.name == *name);
        let field = field.ok_or_else(|| format!("there is no field `{name}`"))?;
        let value = member(domain, field, value, made).map_err(|why| format!("`{name}`: {why}"))?;
        body.insert(name.clone(), value);
    }
    Ok(Value::Object(body))
}

fn member(domain: &Domain, field: &Field, value: &Tree, made: &Made) -> Result<Value, String> {
    match (&field.kind, value) {
        (Kind::Scalar, value) => scalar(&field.declared, value),
        (Kind::Enum(_) | Kind::Actor(_), Tree::Text(text)) => Ok(json!(text)),
        (Kind::Reference { target, .. }, Tree::Text(name)) => {
            let id = made.get(&(*target, name.clone()));
            // What is no name of a row may be an id.
            Ok(json!(id.unwrap_or(name)))
        }
        (Kind::Children { target, .. }, Tree::List(items)) => {
            let child: &Resource = domain.resource(*target);
            let item = |item: &Tree| match item {
                Tree::Map(members) => body(domain, &child.fields, members, made),
                Tree::Text(_) | Tree::List(_) => Err("an item is a map of fields".to_owned()),
            };
            items.iter().map(item).collect::<Result<Vec<_>, _>>().map(Value::Array)
        }
        (Kind::Children { .. }, Tree::Text(_) | Tree::Map(_)) => Err("give a list".to_owned()),
        (Kind::Enum(_) | Kind::Actor(_) | Kind::Reference { .. }, Tree::List(_) | Tree::Map(_)) => {
            Err("give one value".to_owned())
        }
    }
}

fn scalar(declared: &FieldType, value: &Tree) -> Result<Value, String> {
    match (declared, value) {
        (FieldType::List(of), Tree::List(items)) => {
            items.iter().map(|item| scalar(of, item)).collect::<Result<Vec<_>, _>>().map(json_array)
        }
        (FieldType::Json, value) => Ok(free(value)),
        (FieldType::Money { .. }, Tree::Text(text)) => {
            let (amount, currency) =
                text.split_once(' ').ok_or("money is an amount and a currency: `12.50 EUR`")?;
            Ok(json!({ "amount": amount.replace('_', ""), "currency": currency.trim() }))
        }
        (FieldType::Int | FieldType::Counter, Tree::Text(text)) => {
            let number: i64 = text
                .replace('_', "")
                .parse()
                .map_err(|_| format!("`{text}` is no whole number"))?;
            Ok(json!(number))
        }
        (FieldType::Bool, Tree::Text(text)) => match text.as_str() {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err(format!("`{text}` is neither `true` nor `false`")),
        },
        (_, Tree::Text(text)) => Ok(json!(text)),
        (FieldType::Timespan | FieldType::Money { .. }, Tree::Map(members)) => {
            let member = |(name, value): &(String, Tree)| (name.clone(), free(value));
            Ok(Value::Object(members.iter().map(member).collect()))
        }
        (_, Tree::List(_) | Tree::Map(_)) => Err("give one value".to_owned()),
    }
}

fn json_array(items: Vec<Value>) -> Value {
    Value::Array(items)
}

/// Any JSON: what reads as a number, truth value or null is one.
fn free(value: &Tree) -> Value {
    match value {
        Tree::Text(text) => match serde_json::from_str(text) {
            Ok(scalar @ (Value::Number(_) | Value::Bool(_) | Value::Null)) => scalar,
            Ok(_) | Err(_) => json!(text),
        },
        Tree::List(items) => Value::Array(items.iter().map(free).collect()),
        Tree::Map(members) => {
            Value::Object(members.iter().map(|(name, value)| (name.clone(), free(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Tree {
        Tree::Text(text.to_owned())
    }

    #[test]
    fn scalars_are_written_as_their_types_want_them() {
        let money = FieldType::Money { currency: None };
        let wanted = json!({ "amount": "1200.50", "currency": "EUR" });
        assert_eq!(scalar(&money, &text("1_200.50 EUR")), Ok(wanted));
        assert_eq!(scalar(&FieldType::Int, &text("1_000")), Ok(json!(1000)));
        assert_eq!(scalar(&FieldType::String, &text("12")), Ok(json!("12")));
        assert_eq!(scalar(&FieldType::Bool, &text("true")), Ok(json!(true)));
        let list = FieldType::List(Box::new(FieldType::Int));
        assert_eq!(scalar(&list, &Tree::List(vec![text("1"), text("2")])), Ok(json!([1, 2])));
        let object = Tree::Map(vec![("a".to_owned(), text("1")), ("b".to_owned(), text("x"))]);
        assert_eq!(scalar(&FieldType::Json, &object), Ok(json!({ "a": 1, "b": "x" })));
    }

    #[test]
    fn what_is_of_another_type_is_named() {
        assert!(scalar(&FieldType::Int, &text("x")).is_err());
        assert!(scalar(&FieldType::Money { currency: None }, &text("12.50")).is_err());
        assert!(scalar(&FieldType::String, &Tree::List(Vec::new())).is_err());
    }
}
