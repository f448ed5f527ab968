//! The canonical text of a tree: `&&`, `||`, `not`, single quotes, no needless parentheses.

use super::parser::{Level, level, tighter};
use ir::expr::{Node, Operator, Tree};
use std::fmt::Write as _;

/// The text; parsing it gives the same tree again.
pub fn print(tree: &Tree) -> String {
    let mut out = String::new();
    write(&mut out, tree, Level::Or);
    out
}

/// Writes a tree where at least that level is wanted, in parentheses where it is looser.
fn write(out: &mut String, tree: &Tree, least: Level) {
    if level_of(&tree.node) < least {
        out.push('(');
        write(out, tree, Level::Or);
        out.push(')');
        return;
    }
    match &tree.node {
        Node::Null => out.push_str("null"),
        Node::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Node::Int(value) => out.push_str(&value.to_string()),
        Node::Decimal { digits, scale } => write_decimal(out, *digits, usize::from(*scale)),
        Node::Text(text) => write_text(out, text),
        Node::Name(name) => out.push_str(name),
        Node::Member(of, name) => {
            write(out, of, Level::Postfix);
            let _ = write!(out, ".{name}");
        }
        Node::Call(name, arguments) => {
            let _ = write!(out, "{name}");
            write_items(out, arguments, '(', ')');
        }
        Node::Not(inner) => {
            out.push_str("not ");
            write(out, inner, Level::Not);
        }
        Node::Negate(inner) => {
            out.push('-');
            write(out, inner, Level::Unary);
        }
        Node::Binary(operator, left, right) => {
            let of = level(*operator);
            write(out, left, if of == Level::Relation { tighter(of) } else { of });
            let _ = write!(out, " {} ", sign(*operator));
            write(out, right, tighter(of));
        }
        Node::List(items) => write_items(out, items, '[', ']'),
    }
}

fn level_of(node: &Node) -> Level {
    match node {
        Node::Binary(operator, ..) => level(*operator),
        Node::Not(_) => Level::Not,
        Node::Negate(_) => Level::Unary,
        Node::Int(value) if *value < 0 => Level::Unary,
        Node::Null
        | Node::Bool(_)
        | Node::Int(_)
        | Node::Decimal { .. }
        | Node::Text(_)
        | Node::Name(_)
        | Node::Member(..)
        | Node::Call(..)
        | Node::List(_) => Level::Postfix,
    }
}

fn write_items(out: &mut String, items: &[Tree], open: char, close: char) {
    out.push(open);
    for (at, item) in items.iter().enumerate() {
        out.push_str(if at > 0 { ", " } else { "" });
        write(out, item, Level::Or);
    }
    out.push(close);
}

fn write_decimal(out: &mut String, digits: i128, scale: usize) {
    let text = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = text.split_at(text.len() - scale);
    let _ = write!(out, "{whole}.{fraction}");
}

fn write_text(out: &mut String, text: &str) {
    out.push('\'');
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\\' | '\'' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out.push('\'');
}

fn sign(operator: Operator) -> &'static str {
    match operator {
        Operator::Or => "||",
        Operator::And => "&&",
        Operator::Equal => "==",
        Operator::NotEqual => "!=",
        Operator::Less => "<",
        Operator::LessEqual => "<=",
        Operator::Greater => ">",
        Operator::GreaterEqual => ">=",
        Operator::In => "in",
        Operator::Add => "+",
        Operator::Subtract => "-",
        Operator::Multiply => "*",
        Operator::Divide => "/",
        Operator::Remainder => "%",
    }
}
