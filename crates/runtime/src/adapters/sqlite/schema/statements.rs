//! What each statement of the DDL makes, and on which table.

/// What a statement makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A table.
    Table,
    /// An index of a table.
    Index,
    /// A trigger of a table.
    Trigger,
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) kind: Kind,
    pub(super) name: String,
    /// The table it is on, or is.
    pub(super) table: String,
    pub(super) text: String,
}

/// The statements that make something; others are passed over.
pub(super) fn made(ddl: &[String]) -> Vec<Made> {
    ddl.iter().filter_map(|text| parse(text)).collect()
}

fn parse(text: &str) -> Option<Made> {
    let text = without_comments(text);
    let words = words(&text);
    let mut at = words.iter().map(String::as_str);
    if !at.next()?.eq_ignore_ascii_case("create") {
        return None;
    }
    let mut word = at.next()?;
    if word.eq_ignore_ascii_case("unique") {
        word = at.next()?;
    }
    let kind = match word.to_ascii_lowercase().as_str() {
        "table" => Kind::Table,
        "index" => Kind::Index,
        "trigger" => Kind::Trigger,
        _ => return None,
    };
    let mut name = at.next()?;
    if name.eq_ignore_ascii_case("if") {
        name = at.nth(2)?;
    }
    let table = match kind {
        Kind::Table => name,
        Kind::Index | Kind::Trigger => {
            at.find(|word| word.eq_ignore_ascii_case("on"))?;
            at.next()?
        }
    };
    let (name, table) = (name.trim_matches('"').to_owned(), table.trim_matches('"').to_owned());
    let text = text.trim().trim_end_matches(';').to_owned();
    Some(Made { kind, name, table, text })
}

fn without_comments(text: &str) -> String {
    let lines: Vec<_> =
        text.lines().skip_while(|line| line.trim().is_empty() || line.starts_with("--")).collect();
    lines.join("\n")
}

/// The first words; names in quotes are one word.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for c in text.chars() {
        if c == '"' {
            quoted = !quoted;
            word.push(c);
        } else if !quoted && (c.is_whitespace() || c == '(') {
            if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
        } else {
            word.push(c);
        }
        if words.len() > 12 {
            break;
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_says_what_it_makes_and_on_which_table() {
        let all = made(&[
            "CREATE TABLE \"a_rows\" (\n  \"on\" TEXT\n) STRICT".to_owned(),
            "-- why\nCREATE UNIQUE INDEX \"ux\" ON \"a_rows\" (\"on\");".to_owned(),
            "CREATE TRIGGER IF NOT EXISTS \"t\" BEFORE DELETE ON \"b\" BEGIN SELECT 1;\nEND"
                .to_owned(),
            "PRAGMA foreign_keys = ON".to_owned(),
        ]);
        let short: Vec<_> =
            all.iter().map(|made| (made.kind, made.name.as_str(), made.table.as_str())).collect();
        assert_eq!(
            short,
            [
                (Kind::Table, "a_rows", "a_rows"),
                (Kind::Index, "ux", "a_rows"),
                (Kind::Trigger, "t", "b")
            ]
        );
    }
}
