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
        let mut out = String::new();
        self.block(&mut out, 0);
        out
    }

    /// As JSON with two spaces of indent.
    pub(crate) fn json(&self) -> String {
        let mut out = String::new();
        self.pretty(&mut out, 0);
        out.push('\n');
        out
    }

    fn inline(&self) -> Option<String> {
        match self {
            Self::Null => Some("null".to_owned()),
            Self::Bool(flag) => Some(flag.to_string()),
            Self::Int(number) => Some(number.to_string()),
            Self::Text(text) => Some(scalar(text)),
            Self::List(elements) if elements.is_empty() => Some("[]".to_owned()),
            Self::Map(members) if members.is_empty() => Some("{}".to_owned()),
            Self::List(elements) => {
                let plain = |node: &Node| !matches!(node, Self::List(_) | Self::Map(_));
                let flow = |node: &Node| match node {
                    Self::Text(text) => flow_scalar(text),
                    other => other.inline().unwrap_or_default(),
                };
                let texts: Vec<String> = elements.iter().map(flow).collect();
                let text = format!("[{}]", texts.join(", "));
                (elements.iter().all(plain) && text.len() <= LINE_MAX).then_some(text)
            }
            Self::Map(_) => None,
        }
    }

    fn block(&self, out: &mut String, indent: usize) {
        let pad = " ".repeat(indent);
        match self {
            Self::Map(members) if !members.is_empty() => {
                for (name, node) in members {
                    let _ = write!(out, "{pad}{}:", scalar(name));
                    match node.inline() {
                        Some(text) => {
                            let _ = writeln!(out, " {text}");
                        }
                        None => {
                            out.push('\n');
                            node.block(out, indent + 2);
                        }
                    }
                }
            }
            Self::List(elements) if !elements.is_empty() => {
                for node in elements {
                    match node.inline() {
                        Some(text) => {
                            let _ = writeln!(out, "{pad}- {text}");
                        }
                        None => {
                            let mut inner = String::new();
                            node.block(&mut inner, indent + 2);
                            let _ = write!(out, "{pad}- {}", &inner[indent + 2..]);
                        }
                    }
                }
            }
            other => {
                let _ = writeln!(out, "{pad}{}", other.inline().unwrap_or_default());
            }
        }
    }

    fn pretty(&self, out: &mut String, indent: usize) {
        let pad = " ".repeat(indent + 2);
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(flag) => out.push_str(&flag.to_string()),
            Self::Int(number) => out.push_str(&number.to_string()),
            Self::Text(text) => out.push_str(&quoted(text)),
            Self::List(elements) if elements.is_empty() => out.push_str("[]"),
            Self::Map(members) if members.is_empty() => out.push_str("{}"),
            Self::List(elements) => {
                for (at, node) in elements.iter().enumerate() {
                    let _ = write!(out, "{}\n{pad}", if at == 0 { "[" } else { "," });
                    node.pretty(out, indent + 2);
                }
                let _ = write!(out, "\n{}]", " ".repeat(indent));
            }
            Self::Map(members) => {
                for (at, (name, node)) in members.iter().enumerate() {
                    let start = if at == 0 { "{" } else { "," };
                    let _ = write!(out, "{start}\n{pad}{}: ", quoted(name));
                    node.pretty(out, indent + 2);
                }
                let _ = write!(out, "\n{}}}", " ".repeat(indent));
            }
        }
    }
}

/// Characters of a list that still stands on one line.
const LINE_MAX: usize = 80;

/// Plain where no reader can take it for anything but text, else as a JSON string.
fn scalar(text: &str) -> String {
    let plain = text.chars().all(|c| {
        c.is_alphanumeric()
            || matches!(c, ' ' | '_' | '-' | '.' | '/' | '(' | ')' | ',' | ';' | '+' | '$')
    });
    let starts = text.starts_with(|c: char| c.is_alphabetic() || matches!(c, '/' | '$'));
    let ends = text.ends_with(' ');
    if plain && starts && !ends && !is_word(text) { text.to_owned() } else { quoted(text) }
}

fn flow_scalar(text: &str) -> String {
    if text.contains(',') { quoted(text) } else { scalar(text) }
}

/// What YAML 1.1 reads as a boolean or as null.
fn is_word(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    ["y", "n", "yes", "no", "on", "off", "true", "false", "null"].contains(&lower.as_str())
}

/// A JSON string, which YAML reads too.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
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
