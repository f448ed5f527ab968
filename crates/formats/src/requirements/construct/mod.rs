//! The table of constructs: every element of a model with its keys, shapes and short form. The
//! reader asks only for keys that stand here, `fmt` prints short forms by it, and the JSON Schema
//! is written from it.

mod access;
mod behaviour;
mod resource;
mod system;

pub(crate) use access::{ACTOR, GRANT};
pub(crate) use behaviour::*;
pub(crate) use resource::*;
pub(crate) use system::*;

/// An element that is written as a mapping, or in short.
#[derive(Debug)]
pub(crate) struct Construct {
    /// Its name in the schema and in messages (`a field`).
    pub(crate) name: &'static str,
    /// What it is, for completion.
    pub(crate) about: &'static str,
    /// Its keys.
    pub(crate) keys: &'static [Key],
    /// What any other key means, where it means something.
    pub(crate) others: Option<Others>,
    /// Its short form.
    pub(crate) short: Option<Phrase>,
    /// Keys of which exactly one must be set; empty where there are none.
    pub(crate) one_of: &'static [&'static str],
    /// Several files may hold parts of it.
    pub(crate) merges: bool,
}

/// One key of a construct.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    /// What it means, for completion.
    pub(crate) about: &'static str,
    /// Without it the construct means nothing; the example is what messages show.
    pub(crate) required: bool,
    /// `mainstay.<name>.yaml` may set it.
    pub(crate) environment: bool,
}

/// Keys that are the user's own.
#[derive(Debug)]
pub(crate) struct Others {
    /// What they name.
    pub(crate) names: NameKind,
    pub(crate) shape: Shape,
    pub(crate) about: &'static str,
}

/// What a value looks like.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    /// One scalar.
    Leaf(Leaf),
    /// A construct.
    One(&'static Construct),
    /// A mapping of names to values.
    Named(NameKind, &'static Shape),
    /// A list.
    List(&'static Shape),
    /// A value, or a list of them.
    Some(&'static Shape),
    /// A scalar, or a mapping of names to scalars (`otherwise`).
    LeafOrNamed(Leaf, NameKind),
    /// A list of names, or several such lists (`never_overlap`, `unique`).
    Sets(&'static Construct),
}

/// What a scalar means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaf {
    /// Any text.
    Text,
    /// One name.
    Name(NameKind),
    /// Names in a list, or with `|` between them.
    Names(NameKind),
    /// `true` or `false`.
    Flag,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Several of these words.
    Choices(&'static [&'static str]),
    /// A whole number from 0.
    Whole,
    /// `6 engineers`
    People,
    /// `200 ms`
    Duration,
    /// A duration or a range of them.
    Durations,
    /// `99.95%`
    Share,
    /// `50 per second`
    Rate,
    /// A rate or a range of them.
    Rates,
    /// A number or a range.
    Measure,
    /// `400 B`, or a range.
    Bytes,
    /// `3x`
    Factor,
    /// `900 USD`
    Amount,
    /// A condition or a value.
    Expression,
    /// The type of a field.
    Type,
    /// A bound of a field.
    Bound,
    /// An address with variables.
    Url,
    /// How a call proves itself, with variables.
    Auth,
    /// A variable that holds a secret or a key.
    Secret,
    /// `/charges/{id}`
    Path,
    /// `true`, or the name of a header.
    Header,
    /// The version of the notation.
    Notation,
}

/// How a name is spelt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameKind {
    /// `lower_snake_case`, of the thing named.
    Snake(&'static str),
    /// A field: `lower_snake_case` and none of the implicit ones.
    Field,
    /// `UpperCamelCase`, of the thing named.
    Camel(&'static str),
    /// `order.paid`
    Event,
    /// An event as its sender calls it: `charge.succeeded`, `pull_request.opened`.
    Sent,
    /// An event that is listened to: `order.paid`, `payments.charge.succeeded`.
    Heard,
    /// `Order`, `ordering.Order`, `Order.place`, `item.product.reserve`.
    Reference,
    /// `eu-central`, `pci-dss`: letters, digits, `-`, `_`, `.`.
    Word,
    /// `p95`
    Percentile,
    /// `402`
    Status,
    /// `1`, as of an event
    Version,
    /// `GET /{code}`
    Route,
    /// `cache catalog.Product`
    Subject,
    /// `order-lines`
    Segment,
    /// A column or table of an existing database.
    Identifier,
}

/// A short form: words in an order that reads well.
#[derive(Debug)]
pub(crate) struct Phrase {
    /// Examples, for messages and for the schema; the first one is shown first.
    pub(crate) examples: &'static [&'static str],
    /// Keys that the first words fill.
    pub(crate) heads: &'static [(&'static str, Takes)],
    /// The words that may follow, in any order.
    pub(crate) words: &'static [Word],
    /// A bare `a..b` sets `min` and `max`.
    pub(crate) range: bool,
}

/// A word of a short form.
#[derive(Debug)]
pub(crate) struct Word {
    pub(crate) text: &'static str,
    pub(crate) key: &'static str,
    pub(crate) takes: Takes,
    /// A comma stands before it when it is printed.
    pub(crate) comma: bool,
}

/// What a word takes from the text after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    /// Nothing: the word itself is the value.
    Nothing,
    /// One word, or several joined by `|`.
    One,
    /// All words up to the next known one.
    Words,
    /// Everything, but for known words at the very end.
    Rest,
}

impl Construct {
    pub(crate) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

pub(crate) const fn leaf(name: &'static str, leaf: Leaf, about: &'static str) -> Key {
    of(name, Shape::Leaf(leaf), about)
}

pub(crate) const fn of(name: &'static str, shape: Shape, about: &'static str) -> Key {
    Key { name, shape, about, required: false, environment: false }
}

pub(crate) const fn flag(name: &'static str, about: &'static str) -> Key {
    leaf(name, Leaf::Flag, about)
}

/// The former name, so that a rename stays a rename.
pub(crate) const fn was(kind: NameKind) -> Key {
    leaf("was", Leaf::Name(kind), "Its former name: a rename keeps the rows")
}

impl Key {
    pub(crate) const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    pub(crate) const fn environment(self) -> Self {
        Self { environment: true, ..self }
    }
}

pub(crate) const fn word(text: &'static str, key: &'static str, takes: Takes) -> Word {
    Word { text, key, takes, comma: false }
}

impl Word {
    pub(crate) const fn after_comma(self) -> Self {
        Self { comma: true, ..self }
    }
}

/// A construct without a short form.
pub(crate) const fn long(
    name: &'static str,
    about: &'static str,
    keys: &'static [Key],
) -> Construct {
    Construct { name, about, keys, others: None, short: None, one_of: &[], merges: false }
}

impl Construct {
    pub(crate) const fn short(self, short: Phrase) -> Self {
        Self { short: Some(short), ..self }
    }

    pub(crate) const fn others(self, others: Others) -> Self {
        Self { others: Some(others), ..self }
    }

    pub(crate) const fn one_of(self, one_of: &'static [&'static str]) -> Self {
        Self { one_of, ..self }
    }

    pub(crate) const fn merges(self) -> Self {
        Self { merges: true, ..self }
    }
}
