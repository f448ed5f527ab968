//! What a walk along the audit trail found.

use crate::commands::audit::Verified;
use runtime::ports::audit::Verdict;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// True where every chain is whole and every noted head was met.
pub(super) fn is_whole(verified: &Verified) -> bool {
    verified.missing.is_empty() && verified.chains.iter().all(|chain| chain.broken.is_none())
}

/// For people: a line a chain, its head under it.
pub(super) fn text(verified: &Verified) -> String {
    let mut out = String::new();
    for chain in &verified.chains {
        let _ = writeln!(out, "{}", line(chain));
        let _ = writeln!(out, "  head {}", chain.head);
    }
    for head in &verified.missing {
        let _ = writeln!(out, "{}: there is no chain, and {head} was noted", name(&head.chain));
    }
    let entries: u64 = verified.chains.iter().map(|chain| chain.entries).sum();
    let entries = entries_of(entries);
    let _ = match is_whole(verified) {
        true => writeln!(out, "{entries}, unbroken"),
        false => writeln!(out, "{entries}, and the trail is broken"),
    };
    out
}

fn entries_of(number: u64) -> String {
    match number {
        1 => "1 entry".to_owned(),
        many => format!("{many} entries"),
    }
}

fn name(chain: &str) -> String {
    match chain {
        "" => "what tenants share".to_owned(),
        tenant => format!("`{tenant}`"),
    }
}

fn line(chain: &Verdict) -> String {
    let (name, entries) = (name(&chain.head.chain), entries_of(chain.entries));
    let removed = match chain.removed {
        0 => String::new(),
        removed => format!(" after {removed} that retention removed"),
    };
    match &chain.broken {
        None => format!("{name} in {}: {entries}{removed}, unbroken", chain.place),
        Some((number, why)) => {
            format!("{name} in {}: broken at number {number}: {why}", chain.place)
        }
    }
}

/// For programs.
pub(super) fn json(verified: &Verified) -> Value {
    let chain = |chain: &Verdict| {
        json!({
            "chain": chain.head.chain,
            "place": chain.place,
            "entries": chain.entries,
            "removed": chain.removed,
            "head": chain.head.to_string(),
            "broken": chain.broken.as_ref().map(|(number, why)| {
                json!({ "number": number, "why": why })
            }),
        })
    };
    json!({
        "unbroken": is_whole(verified),
        "chains": verified.chains.iter().map(chain).collect::<Vec<_>>(),
        "missing": verified.missing.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}
