//! A row as a line of JSON.

use crate::ports::transfer::{Form, Holds, Line, Plain, SYSTEM, Sheet};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ir::schema::Storage;
use serde_json::{Map, Value as Json};
use std::sync::Arc;

/// Name of the tenant in a line; no column can be called so.
const TENANT: &str = "@tenant";

/// The line of a row, without its end; members in the order of the columns.
pub(super) fn write(sheet: &Sheet, line: &Line) -> String {
    let tenant = line.tenant.as_ref().map(|tenant| (TENANT, Json::from(&**tenant)));
    let cells = sheet.columns.iter().zip(&line.cells);
    let cells = cells.map(|((name, form), cell)| (name.as_str(), json(*form, cell)));
    let member = |(name, value): (&str, Json)| format!("{}:{value}", Json::from(name));
    let members: Vec<String> = tenant.into_iter().chain(cells).map(member).collect();
    format!("{{{}}}", members.join(","))
}

fn json(form: Form, cell: &Plain) -> Json {
    match cell {
        Plain::Null => Json::Null,
        Plain::Int(n) if form == Form::Stored(Storage::Bool) => Json::Bool(*n != 0),
        Plain::Int(n) => Json::from(*n),
        Plain::Text(text) => Json::from(text.as_str()),
        Plain::Bytes(bytes) => match <[u8; 16]>::try_from(bytes.as_slice()) {
            Ok(id) if form == Form::Stored(Storage::Uuid) => Json::from(hyphenated(id)),
            Ok(_) | Err(_) => Json::from(STANDARD.encode(bytes)),
        },
    }
}

fn hyphenated(id: [u8; 16]) -> String {
    let hex = format!("{:032x}", u128::from_be_bytes(id));
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    parts.join("-")
}

/// The row of a line; none where it is not one of the sheet.
pub(super) fn read(sheet: &Sheet, text: &[u8]) -> Option<Line> {
    let mut object: Map<String, Json> = serde_json::from_slice(text).ok()?;
    let tenant = match object.remove(TENANT) {
        Some(Json::String(name)) => Some(Arc::from(name)),
        Some(_) => return None,
        None => None,
    };
    let gained = |name: &str| match sheet.holds {
        Holds::System(at) => SYSTEM[at].gained().find(|(one, ..)| *one == name),
        Holds::Rows { .. } => None,
    };
    let cell = |(name, form): &(String, Form)| match object.get(name) {
        Some(json) => plain(*form, json),
        None => gained(name).map(|(_, _, before)| Plain::Int(before)),
    };
    let cells = sheet.columns.iter().map(cell).collect::<Option<Vec<_>>>()?;
    Some(Line { tenant, cells })
}

fn plain(form: Form, json: &Json) -> Option<Plain> {
    Some(match json {
        Json::Null => Plain::Null,
        Json::Bool(yes) => Plain::Int(i64::from(*yes)),
        Json::Number(n) => Plain::Int(n.as_i64()?),
        Json::String(text) if form == Form::Stored(Storage::Uuid) => {
            let hex: String = text.chars().filter(|c| *c != '-').collect();
            Plain::Bytes(u128::from_str_radix(&hex, 16).ok()?.to_be_bytes().to_vec())
        }
        Json::String(text) if form.is_bytes() => Plain::Bytes(STANDARD.decode(text).ok()?),
        Json::String(text) => Plain::Text(text.clone()),
        Json::Array(_) | Json::Object(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::archive::table_of;
    use serde_json::json;

    #[test]
    fn an_event_of_a_backup_from_before_there_were_versions_is_of_the_first() {
        let column = |name: &str| json!({"name": name, "form": "text"});
        let table = |columns: &[&str]| {
            json!({
                "table": "mainstay_outbox",
                "file": "outbox.jsonl.zst",
                "rows": 1,
                "bytes": 1,
                "sha256": "",
                "columns": columns.iter().map(|name| column(name)).collect::<Vec<_>>(),
            })
        };
        let (sheet, _) = table_of(0, &table(&["event"])).expect("a table");
        let names: Vec<&str> = sheet.columns.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["event", "version"]);
        let line = read(&sheet, br#"{"event":"order.paid"}"#).expect("a line");
        assert_eq!(line.cells, [Plain::Text("order.paid".to_owned()), Plain::Int(1)]);
        let line = read(&sheet, br#"{"event":"order.paid","version":3}"#).expect("a line");
        assert_eq!(line.cells[1], Plain::Int(3));
        assert_eq!(read(&sheet, b"{}"), None, "what it always had is not made up");
    }
}
