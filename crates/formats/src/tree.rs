//! A tree of texts, numbers, lists and members in order, written as YAML or JSON.

use std::fmt::Write as _;

/// One node.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Text.
    Text(String),
    /// Elements.
    List(Vec<Node>),
    /// Members in order.
    Map(Vec<(String, Node)>),
}

/// `map([("type", "string".into())])`
pub(crate) fn map<const N: usize>(members: [(&str, Node); N]) -> Node {
    Node::Map(members.into_iter().map(|(name, node)| (name.to_owned(), node)).collect())
}

/// A list of whatever becomes a node.
pub(crate) fn list<T: Into<Node>>(elements: impl IntoIterator<Item = T>) -> Node {
    Node::List(elements.into_iter().map(Into::into).collect())
}

impl From<&str> for Node {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}
impl From<String> for Node {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
impl From<&String> for Node {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}
impl From<bool> for Node {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}
impl From<i64> for Node {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl Node {
    /// An object without members.
    pub(crate) fn empty() -> Self {
        Self::Map(Vec::new())
    }

    /// Adds a member to an object; other nodes stay as they are.
    pub(crate) fn set(&mut self, name: &str, node: impl Into<Node>) {
        debug_assert!(self.get(name).is_none(), "`{name}` stands there already");
        if let Self::Map(members) = self {
            members.push((name.to_owned(), node.into()));
        }
    }

    /// With one more member.
    pub(crate) fn with(mut self, name: &str, node: impl Into<Node>) -> Self {
        self.set(name, node);
        self
    }

    /// The member of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&Node> {
        match self {
            Self::Map(members) => {
                members.iter().find(|(other, _)| other == name).map(|(_, node)| node)
            }
            Self::Null | Self::Bool(_) | Self::Int(_) | Self::Text(_) | Self::List(_) => None,
        }
    }

    /// Shows every member of every object in it.
    pub(crate) fn each_member(&self, visit: &mut dyn FnMut(&str, &Node)) {
        match self {
            Self::Map(members) => {
                for (name, node) in members {
                    visit(name, node);
                    node.each_member(visit);
                }
            }
            Self::List(elements) => elements.iter().for_each(|node| node.each_member(visit)),
            Self::Null | Self::Bool(_) | Self::Int(_) | Self::Text(_) => {}
        }
    }

    /// As YAML 1.2 that reads the same under 1.1.
    pub(crate) fn yaml(&self) -> String {
        let mut out = String::with_capacity(self.room());
        self.block(&mut out, 0);
        out.shrink_to_fit();
        out
    }

    /// As JSON with two spaces of indent.
    pub(crate) fn json(&self) -> String {
        let mut out = String::with_capacity(self.room());
        self.pretty(&mut out, 0);
        out.push('\n');
        out.shrink_to_fit();
        out
    }

    /// Bytes that the text is likely to take: a buffer that grows by doubling copies, and touches,
    /// twice what it holds.
    fn room(&self) -> usize {
        /// Indent, punctuation and quotes of a node.
        const NODE_BYTES: usize = 16;
        NODE_BYTES
            + match self {
                Self::Null | Self::Bool(_) | Self::Int(_) => 0,
                Self::Text(text) => text.len(),
                Self::List(elements) => elements.iter().map(Self::room).sum(),
                Self::Map(members) => {
                    members.iter().map(|(name, node)| name.len() + node.room()).sum()
                }
            }
    }

    /// Writes what fits on the line of its name; false, and nothing written, where it needs lines
    /// of its own.
    fn inline(&self, out: &mut String) -> bool {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Self::Int(number) => {
                let _ = write!(out, "{number}");
            }
            Self::Text(text) => push_scalar(out, text),
            Self::List(elements) if elements.is_empty() => out.push_str("[]"),
            Self::Map(members) if members.is_empty() => out.push_str("{}"),
            Self::List(elements) => {
                let start = out.len();
                let fits = flow(elements, out);
                if !fits {
                    out.truncate(start);
                }
                return fits;
            }
            Self::Map(_) => return false,
        }
        true
    }

    fn block(&self, out: &mut String, indent: usize) {
        match self {
            Self::Map(members) if !members.is_empty() => {
                for (name, node) in members {
                    push_spaces(out, indent);
                    push_scalar(out, name);
                    out.push_str(": ");
                    if node.inline(out) {
                        out.push('\n');
                    } else {
                        out.pop();
                        out.push('\n');
                        node.block(out, indent + 2);
                    }
                }
            }
            Self::List(elements) if !elements.is_empty() => {
                for node in elements {
                    push_spaces(out, indent);
                    out.push_str("- ");
                    if node.inline(out) {
                        out.push('\n');
                    } else {
                        // The dash takes the place of the first line's own indent.
                        let dash = out.len() - 2;
                        out.truncate(dash - indent);
                        node.block(out, indent + 2);
                        out.replace_range(dash..dash + 1, "-");
                    }
                }
            }
            other => {
                push_spaces(out, indent);
                other.inline(out);
                out.push('\n');
            }
        }
    }

    fn pretty(&self, out: &mut String, indent: usize) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Self::Int(number) => {
                let _ = write!(out, "{number}");
            }
            Self::Text(text) => push_quoted(out, text),
            Self::List(elements) if elements.is_empty() => out.push_str("[]"),
            Self::Map(members) if members.is_empty() => out.push_str("{}"),
            Self::List(elements) => {
                for (at, node) in elements.iter().enumerate() {
                    out.push_str(if at == 0 { "[\n" } else { ",\n" });
                    push_spaces(out, indent + 2);
                    node.pretty(out, indent + 2);
                }
                out.push('\n');
                push_spaces(out, indent);
                out.push(']');
            }
            Self::Map(members) => {
                for (at, (name, node)) in members.iter().enumerate() {
                    out.push_str(if at == 0 { "{\n" } else { ",\n" });
                    push_spaces(out, indent + 2);
                    push_quoted(out, name);
                    out.push_str(": ");
                    node.pretty(out, indent + 2);
                }
                out.push('\n');
                push_spaces(out, indent);
                out.push('}');
            }
        }
    }
}

/// Characters of a list that still stands on one line.
const LINE_MAX: usize = 80;

/// A list of plain elements on one line, if it is short enough.
fn flow(elements: &[Node], out: &mut String) -> bool {
    let start = out.len();
    out.push('[');
    for (at, node) in elements.iter().enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        match node {
            Node::Text(text) if text.contains(',') => push_quoted(out, text),
            Node::List(_) | Node::Map(_) => return false,
            Node::Null | Node::Bool(_) | Node::Int(_) | Node::Text(_) => {
                node.inline(out);
            }
        }
        if out.len() - start > LINE_MAX {
            return false;
        }
    }
    out.push(']');
    out.len() - start <= LINE_MAX
}

fn push_spaces(out: &mut String, count: usize) {
    out.extend(std::iter::repeat_n(' ', count));
}

/// Plain where no reader can take it for anything but text, else as a JSON string.
fn push_scalar(out: &mut String, text: &str) {
    let plain = text.chars().all(|c| {
        c.is_alphanumeric()
            || matches!(c, ' ' | '_' | '-' | '.' | '/' | '(' | ')' | ',' | ';' | '+' | '$')
    });
    let starts = text.starts_with(|c: char| c.is_alphabetic() || matches!(c, '/' | '$'));
    if plain && starts && !text.ends_with(' ') && !is_word(text) {
        out.push_str(text);
    } else {
        push_quoted(out, text);
    }
}

/// What YAML 1.1 reads as a boolean or as null.
fn is_word(text: &str) -> bool {
    let words = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    words.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// A JSON string, which YAML reads too.
fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    let escaped =
        |c: char| matches!(c, '"' | '\\' | '\u{2028}' | '\u{2029}' | '\u{feff}') || c.is_control();
    let mut rest = text;
    while let Some(at) = rest.find(escaped) {
        out.push_str(&rest[..at]);
        let mut left = rest[at..].chars();
        match left.next() {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some(c) => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            None => {}
        }
        rest = left.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn yaml_quotes_what_a_reader_could_mistake() {
        let tree = map([
            ("plain", "two words".into()),
            ("no", "no".into()),
            ("number", "12".into()),
            ("colon", "a: b".into()),
            ("200", map([("list", list([map([("a", 1.into()), ("b", Node::empty())])]))])),
            ("flow", list(["a, b", "c"])),
            ("nested", list([list([map([("x", Node::Null)])])])),
        ]);
        expect![[r#"
            plain: two words
            "no": "no"
            number: "12"
            colon: "a: b"
            "200":
              list:
                - a: 1
                  b: {}
            flow: ["a, b", c]
            nested:
              - - x: null
        "#]]
        .assert_eq(&tree.yaml());
    }

    #[test]
    fn json_escapes_controls_and_keeps_the_order() {
        let tree = map([("b", "\u{1}\"\\\n".into()), ("a", list([1, 2].map(i64::from)))]);
        expect![[r#"
            {
              "b": "\u0001\"\\\n",
              "a": [
                1,
                2
              ]
            }
        "#]]
        .assert_eq(&tree.json());
    }
}
