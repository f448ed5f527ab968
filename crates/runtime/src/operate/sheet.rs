//! Rows as values between commas: a column for each member, two for money and timespans
//! (`price.amount`, `price.currency`); lists and JSON stand as JSON in their cell. An empty cell is
//! a member that is left out.

use crate::json::read::parse;
use crate::json::{Json, write};
use crate::plan::Plan;
use crate::plan::resource::Part;
use ir::domain::ResourceId;
use ir::model::FieldType;

/// How a cell stands in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Between quotes.
    Text,
    /// A number or truth, without.
    Bare,
    /// JSON itself.
    Json,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    member: String,
    /// Of an object, which of its members.
    part: Option<&'static str>,
    form: Form,
}

impl Column {
    /// What stands over it.
    pub(crate) fn name(&self) -> String {
        match self.part {
            Some(part) => format!("{}.{part}", self.member),
            None => self.member.clone(),
        }
    }
}

/// The columns of a resource, in the order of its members; only some where they are named.
pub(crate) fn columns(plan: &Plan, resource: ResourceId, only: Option<&[String]>) -> Vec<Column> {
    let domain = plan.domain.resource(resource);
    let mut columns = Vec::new();
    for member in &plan.resource(resource).members {
        let wanted = |names: &[String]| {
            &*member.name == "id" || names.iter().any(|name| **name == *member.name)
        };
        if only.is_some_and(|names| !wanted(names)) {
            continue;
        }
        let (parts, form): (&[Option<&'static str>], Form) = match member.part {
            Part::Children(..) => continue,
            Part::Implicit(_) => (&[None], Form::Text),
            Part::Field(field) => match &domain.field(field).declared {
                FieldType::Money { .. } => (&[Some("amount"), Some("currency")], Form::Text),
                FieldType::Timespan => (&[Some("start"), Some("end")], Form::Text),
                FieldType::Int | FieldType::Bool | FieldType::Counter => (&[None], Form::Bare),
                FieldType::Json | FieldType::List(_) => (&[None], Form::Json),
                _ => (&[None], Form::Text),
            },
        };
        let member = &member.name;
        let of =
            |part: &Option<&'static str>| Column { member: member.to_string(), part: *part, form };
        columns.extend(parts.iter().map(of));
    }
    columns
}

/// The columns of a header; its first name that is none of the resource's where there is one.
pub(crate) fn header(
    plan: &Plan,
    resource: ResourceId,
    names: &csv::StringRecord,
) -> Result<Vec<Column>, String> {
    let known = columns(plan, resource, None);
    let mut found: Vec<Column> = Vec::with_capacity(names.len());
    for name in names {
        let column = known.iter().find(|column| column.name() == name);
        match column {
            Some(column) if !found.contains(column) => found.push(column.clone()),
            Some(_) => return Err(format!("names the column `{name}` twice")),
            None => {
                let name = crate::json::read::shorten(name);
                let all: Vec<String> = known.iter().map(Column::name).collect();
                return Err(format!("has a column `{name}`; it may have {}", all.join(", ")));
            }
        }
    }
    Ok(found)
}

/// A record as the body of a new row.
pub(crate) fn body(columns: &[Column], record: &csv::StringRecord) -> String {
    let mut out = b"{".to_vec();
    let mut open: Option<&str> = None;
    for (column, cell) in columns.iter().zip(record).filter(|(_, cell)| !cell.is_empty()) {
        let inner = column.part.is_some() && open == Some(&column.member);
        if open.is_some() && !inner {
            out.push(b'}');
            open = None;
        }
        if out.last() != Some(&b'{') {
            out.push(b',');
        }
        if !inner {
            out.extend_from_slice(&write::key(&column.member));
        }
        if let Some(part) = column.part {
            if !inner {
                out.push(b'{');
                open = Some(&column.member);
            }
            out.extend_from_slice(&write::key(part));
        }
        value(&mut out, column.form, cell);
    }
    if open.is_some() {
        out.push(b'}');
    }
    out.push(b'}');
    String::from_utf8(out).unwrap_or_default()
}

fn value(out: &mut Vec<u8>, form: Form, cell: &str) {
    let bare = match (form, parse(cell.as_bytes())) {
        (Form::Bare, Ok(Json::Number(_) | Json::Bool(_))) | (Form::Json, Ok(_)) => true,
        (Form::Text | Form::Bare | Form::Json, _) => false,
    };
    match bare {
        // Without the breaks that a line must not have.
        true => match parse(cell.as_bytes()) {
            Ok(json) => json.write(out),
            Err(_) => write::text(out, cell),
        },
        false => write::text(out, cell),
    }
}

/// The header of columns.
pub(crate) fn head(columns: &[Column]) -> String {
    let names: Vec<String> = columns.iter().map(Column::name).collect();
    line(names.iter().map(String::as_bytes))
}

/// A row, as it is shown in JSON, in columns.
pub(crate) fn row(columns: &[Column], json: &[u8]) -> String {
    let Ok(Json::Object(members)) = parse(json) else { return String::new() };
    let cells = columns.iter().map(|column| {
        let whole = members.iter().find(|(member, _)| *member == column.member);
        let whole = whole.map(|(_, value)| value);
        match (whole, column.part) {
            (Some(Json::Object(parts)), Some(part)) => {
                text_of(parts.iter().find(|(name, _)| name == part).map(|(_, value)| value))
            }
            (whole, _) => text_of(whole),
        }
    });
    let cells: Vec<Vec<u8>> = cells.collect();
    line(cells.iter().map(Vec::as_slice))
}

fn text_of(json: Option<&Json<'_>>) -> Vec<u8> {
    match json {
        None | Some(Json::Null) => Vec::new(),
        Some(Json::Text(text)) => text.as_bytes().to_vec(),
        Some(other) => {
            let mut out = Vec::new();
            other.write(&mut out);
            out
        }
    }
}

fn line<'c>(cells: impl Iterator<Item = &'c [u8]>) -> String {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    // Writing to memory can't fail.
    let _written = writer.write_record(cells);
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(member: &str, part: Option<&'static str>, form: Form) -> Column {
        Column { member: member.to_owned(), part, form }
    }

    #[test]
    fn a_record_becomes_a_body_and_a_row_a_record_again() {
        let columns = [
            column("name", None, Form::Text),
            column("price", Some("amount"), Form::Text),
            column("price", Some("currency"), Form::Text),
            column("stock", None, Form::Bare),
            column("tags", None, Form::Json),
        ];
        let record = csv::StringRecord::from(vec!["a \"b\"\nc", "1.50", "EUR", "007", "[ 1 ]"]);
        let made = body(&columns, &record);
        let wanted = r#"{"name":"a \"b\"\nc","price":{"amount":"1.50","currency":"EUR"},"#;
        assert_eq!(made, format!("{wanted}\"stock\":\"007\",\"tags\":[1]}}"));
        let record = csv::StringRecord::from(vec!["", "", "EUR", "7", ""]);
        assert_eq!(body(&columns, &record), r#"{"price":{"currency":"EUR"},"stock":7}"#);
        assert_eq!(body(&columns, &csv::StringRecord::from(vec!["", "", ""])), "{}");
        assert_eq!(head(&columns), "name,price.amount,price.currency,stock,tags\n");
        let json =
            br#"{"id":"x","name":"a,\"b","price":{"amount":"1","currency":"EUR"},"tags":[1]}"#;
        assert_eq!(row(&columns, json), "\"a,\"\"b\",1,EUR,,[1]\n");
    }
}
