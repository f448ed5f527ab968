//! JSON at the boundary: read strictly into a borrowed tree, written straight into a buffer.
//!
//! Strict means: UTF-8, no repeated member, no lone surrogate, no number beyond a double's range,
//! a bound on depth and members. Numbers keep their text, so nothing is lost on the way to an
//! exact type.

pub(crate) mod literal;
pub(crate) mod read;
pub(crate) mod scalar;
pub(crate) mod time;
pub(crate) mod write;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

/// Arrays and objects inside each other at most.
pub(crate) const DEPTH_MAX: usize = 64;

/// A JSON text as it was read; texts and numbers are borrowed where they can be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json<'a> {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// The digits as they stood.
    Number(&'a str),
    /// Text without escapes.
    Text(Cow<'a, str>),
    /// Elements.
    Array(Vec<Json<'a>>),
    /// Members in the order they stood, each name once.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

impl Json<'_> {
    /// What it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }

    /// Writes it without spaces, members in their order.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Bool(true) => out.extend_from_slice(b"true"),
            Self::Bool(false) => out.extend_from_slice(b"false"),
            Self::Number(digits) => out.extend_from_slice(digits.as_bytes()),
            Self::Text(text) => write::text(out, text),
            Self::Array(elements) => {
                out.push(b'[');
                for (at, element) in elements.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    element.write(out);
                }
                out.push(b']');
            }
            Self::Object(members) => {
                out.push(b'{');
                for (at, (name, value)) in members.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    write::text(out, name);
                    out.push(b':');
                    value.write(out);
                }
                out.push(b'}');
            }
        }
    }

    /// Sorts the members of every object by name: two texts of one meaning become one.
    pub(crate) fn sort(&mut self) {
        match self {
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) => {}
            Self::Array(elements) => elements.iter_mut().for_each(Self::sort),
            Self::Object(members) => {
                members.sort_by(|(a, _), (b, _)| a.cmp(b));
                members.iter_mut().for_each(|(_, value)| value.sort());
            }
        }
    }

    /// Applies a JSON Merge Patch (RFC 7396) to it.
    pub(crate) fn merge(&mut self, patch: Self) {
        let Self::Object(changes) = patch else {
            *self = patch;
            return;
        };
        if !matches!(self, Self::Object(_)) {
            *self = Self::Object(Vec::new());
        }
        let Self::Object(members) = self else { return };
        for (name, change) in changes {
            let at = members.iter().position(|(other, _)| *other == name);
            match (at, change) {
                (Some(at), Self::Null) => {
                    members.remove(at);
                }
                (None, Self::Null) => {}
                (Some(at), change) => members[at].1.merge(change),
                (None, change) => {
                    let mut fresh = Self::Null;
                    fresh.merge(change);
                    members.push((name, fresh));
                }
            }
        }
    }

    /// True where a text or member name somewhere in it holds NUL, which no store takes.
    pub(crate) fn holds_nul(&self) -> bool {
        match self {
            Self::Null | Self::Bool(_) | Self::Number(_) => false,
            Self::Text(text) => text.contains('\0'),
            Self::Array(elements) => elements.iter().any(Self::holds_nul),
            Self::Object(members) => {
                members.iter().any(|(name, value)| name.contains('\0') || value.holds_nul())
            }
        }
    }
}
