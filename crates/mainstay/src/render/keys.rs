//! API keys for a terminal and for programs; never their secrets, but for a new one.

use crate::commands::key::Created;
use runtime::ports::keys::StoredKey;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Microseconds of a second.
const SECOND: i64 = 1_000_000;

/// A new key for programs.
pub(super) fn created(created: &Created) -> Value {
    let mut value = stored(&created.stored);
    value["key"] = json!(created.key);
    value
}

/// A key without its secret, for programs; instants are seconds since 1970.
pub(super) fn stored(key: &StoredKey) -> Value {
    let seconds = |micros: Option<i64>| micros.map(|micros| micros / SECOND);
    json!({
        "prefix": key.prefix,
        "actor": key.actor,
        "roles": key.roles,
        "tenant": key.tenant,
        "label": key.label,
        "created": key.created / SECOND,
        "expires": seconds(key.expires),
        "revoked": seconds(key.revoked),
        "used": seconds(key.used),
    })
}

/// A table of keys; `now` is in microseconds since 1970.
pub(super) fn table(keys: &[StoredKey], now: i64) -> String {
    let mut rows = vec![["PREFIX", "ACTOR", "TENANT", "STATE", "USED", "LABEL"].map(str::to_owned)];
    rows.extend(keys.iter().map(|key| row(key, now)));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..6).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn row(key: &StoredKey, now: i64) -> [String; 6] {
    let actor = match key.roles.as_slice() {
        [] => key.actor.clone(),
        roles => format!("{}.{}", key.actor, roles.join("|")),
    };
    let state = match (key.revoked, key.expires) {
        (Some(at), _) => format!("revoked {}", ago(now - at)),
        (None, Some(at)) if at <= now => format!("expired {}", ago(now - at)),
        (None, Some(at)) => format!("for {} more", span(at - now)),
        (None, None) => "good".to_owned(),
    };
    let used = key.used.map_or_else(|| "never".to_owned(), |at| ago(now - at));
    let tenant = key.tenant.clone().unwrap_or_else(|| "-".to_owned());
    [key.prefix.clone(), actor, tenant, state, used, key.label.clone()]
}

fn ago(micros: i64) -> String {
    format!("{} ago", span(micros))
}

fn span(micros: i64) -> String {
    let seconds = (micros / SECOND).max(0);
    let (number, unit) = match seconds {
        0..=119 => (seconds, "second"),
        120..=7_199 => (seconds / 60, "minute"),
        7_200..=172_799 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    super::count(usize::try_from(number).unwrap_or(0), unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn keys_are_listed_with_their_state() {
        let day = 86_400 * SECOND;
        let now = 100 * day;
        let key = |prefix: &str| StoredKey {
            prefix: prefix.to_owned(),
            hash: [7; 32],
            actor: "partner".to_owned(),
            roles: Vec::new(),
            tenant: Some("acme".to_owned()),
            subject: prefix.to_owned(),
            label: "nightly export".to_owned(),
            created: 0,
            expires: None,
            revoked: None,
            used: None,
        };
        let keys = [
            StoredKey { used: Some(now - 90 * SECOND), ..key("ms_aaaa") },
            StoredKey { expires: Some(now + 3 * day), label: String::new(), ..key("ms_bbbb") },
            StoredKey { revoked: Some(now - day / 2), tenant: None, ..key("ms_cccc") },
        ];
        expect![[r#"
            PREFIX   ACTOR    TENANT  STATE                 USED            LABEL
            ms_aaaa  partner  acme    good                  90 seconds ago  nightly export
            ms_bbbb  partner  acme    for 3 days more       never
            ms_cccc  partner  -       revoked 12 hours ago  never           nightly export
        "#]]
        .assert_eq(&table(&keys, now));
    }
}
