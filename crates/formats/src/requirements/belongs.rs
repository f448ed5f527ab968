//! Which `*.yaml` files of a directory are written in the notation: told by the keys at their top
//! alone, so that a file with faults is still known for what it is.

use super::construct::{Leaf, MODEL, NameKind, Shape};

/// Keys that say that a file is written in another format, whatever else stands in it.
const FOREIGN_KEYS: [&str; 4] = ["apiVersion", "openapi", "asyncapi", "swagger"];

/// True for the text (or its beginning) of a file of a model: a mapping whose top has a key of the
/// notation and none that is another format's.
pub fn belongs(text: &str) -> bool {
    let keys = top_keys(text);
    keys.iter().any(|key| is_telling(key)) && !keys.iter().any(|key| FOREIGN_KEYS.contains(key))
}

/// True where the text (or its beginning) names the system, as one file of a model does.
pub fn names_system(text: &str) -> bool {
    top_keys(text).contains(&"system")
}

/// A key of the notation that says what a file is; `title` and `summary` stand in every format.
fn is_telling(key: &str) -> bool {
    MODEL.key(key).is_some_and(|key| match key.shape {
        Shape::Leaf(Leaf::Notation | Leaf::Name(NameKind::Word)) => true,
        Shape::Leaf(_) => false,
        Shape::One(_)
        | Shape::Named(..)
        | Shape::List(_)
        | Shape::Some(_)
        | Shape::LeafOrNamed(..)
        | Shape::Sets(_) => true,
    })
}

/// The keys of the mapping at the top: those of the lines that begin where the first one does.
fn top_keys(text: &str) -> Vec<&str> {
    let text = text.trim_start_matches('\u{feff}');
    let lines = || {
        text.lines().filter(|line| {
            let inner = line.trim_start();
            let marker = line.starts_with("---") || line.starts_with('%');
            !inner.is_empty() && !inner.starts_with('#') && !marker
        })
    };
    let Some(first) = lines().next() else { return Vec::new() };
    let indent = first.len() - first.trim_start().len();
    if first.trim_start().starts_with('{') {
        return flow_keys(text);
    }
    let at_top = |line: &&str| line.len() - line.trim_start().len() == indent;
    lines()
        .filter(at_top)
        .filter_map(|line| line.split_once(':'))
        .map(|(key, _)| bare(key))
        .collect()
}

/// The keys of `{ a: …, b: … }`.
fn flow_keys(text: &str) -> Vec<&str> {
    let (mut keys, mut depth, mut start, mut quote) = (Vec::new(), 0_u32, 0, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '{' | '[') => {
                depth += 1;
                start = at + 1;
            }
            (None, '}' | ']') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 1 => start = at + 1,
            (None, ':') if depth == 1 => keys.push(bare(&text[start..at])),
            (None, _) => {}
        }
    }
    keys
}

fn bare(key: &str) -> &str {
    key.trim().trim_matches(['"', '\''])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_belongs_by_the_keys_at_its_top() {
        for text in [
            "system: shop\n",
            "# a\n\n---\ncontexts:\n  ordering: {}\n",
            "  goals: { peak: 5 rps }\n  title: x\n",
            "\u{feff}\"system\": shop",
            "{ title: \"a: {\", workflows: { a: { openapi: 1 } } }",
            "title: x\nworkload: [ this is torn\n",
        ] {
            assert!(belongs(text), "{text}");
        }
        for text in [
            "",
            "- system: shop\n",
            "title: a page\nsummary: of a site\n",
            "services:\n  web:\n    system: x\n",
            "openapi: 3.1.0\nevents: {}\n",
            "apiVersion: v1\nkind: ConfigMap\n---\nsystem: x\n",
            "{ \"swagger\": \"2.0\", \"system\": 1 }",
            "{ a: { system: x } }",
            "just a text",
        ] {
            assert!(!belongs(text), "{text}");
        }
        assert!(names_system("mainstay: 1\nsystem: a\n") && !names_system("goals: {}\n"));
    }
}
