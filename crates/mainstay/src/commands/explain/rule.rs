//! The rules of one thing that can be done to a resource, as entries of the audit trail name them:
//! `ordering.Order.update: shopper when own`.

use ir::domain::{Domain, Grant};

/// Markdown about the rules of `context.Resource.verb`, with or without the text of one behind it;
/// none where that is not what is named.
pub(super) fn explain(domain: &Domain, what: &str) -> Option<String> {
    // A look names every rule that lets the caller read.
    let (part, asked) = what.split_once(": ").unwrap_or((what, ""));
    let asked: Vec<&str> = asked.split(" | ").filter(|text| !text.is_empty()).collect();
    let (resource, verb) = part.rsplit_once('.')?;
    let (_, found) = domain.resources().find(|(id, _)| domain.full_name(*id) == resource)?;
    let command = found.commands.iter().find(|command| command.name == verb);
    let (does, grants): (&str, &[Grant]) = match (verb, command) {
        ("read", _) => ("read", &found.access.read),
        ("create", _) => ("create", &found.access.create),
        ("update", _) => ("update", &found.access.update),
        ("delete", _) => ("delete", &found.access.delete),
        (_, Some(command)) => (&command.name, &command.by),
        (_, None) => return None,
    };
    let mut out = format!("# Who may {does} `{resource}`\n\n");
    for grant in grants {
        let named = asked.contains(&grant.text.as_str());
        let mark = if named { " (asked for)" } else { "" };
        out.push_str(&format!("- `{}`{mark}\n", grant.text));
    }
    if grants.is_empty() {
        out.push_str("Nobody: no rule says so.\n");
    }
    for text in asked.iter().filter(|text| grants.iter().all(|grant| grant.text != **text)) {
        out.push_str(&format!("\n`{text}` is none of them in this model.\n"));
    }
    Some(out)
}
