//! An element opened by the table: short or long, it is the same keys and values afterwards.
//! What the table does not know is said here, once for all constructs.

use super::FAULTS_MAX;
use super::construct::{Construct, Key, Shape};
use super::environment::Overrides;
use super::faults::{missing_key, unknown_key, wrong_shape};
use super::phrase;
use super::source::Slice;
use super::tree::{Entry, Kind, List, Map, Node, Scalar};
use ir::model::Variable;
use ir::{Diagnostic, Span};

/// What has been read so far beside the model itself.
pub(crate) struct Reader<'n> {
    pub(crate) faults: Vec<Diagnostic>,
    pub(crate) variables: Vec<Variable>,
    /// Keys and names from the root to the element being read.
    pub(crate) path: Vec<&'n str>,
    /// Text was left out, so that what is missing is not said.
    pub(crate) partial: bool,
    pub(crate) overrides: &'n Overrides<'n>,
}

/// The value of a key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value<'n> {
    pub(crate) span: Span,
    pub(crate) kind: ValueKind<'n>,
}

/// What a value is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ValueKind<'n> {
    /// A scalar or a part of one; YAML took quotes away where `quoted`.
    Text {
        slice: Slice<'n>,
        quoted: bool,
    },
    Map(&'n Map),
    List(&'n List),
    /// `key:` with nothing behind it.
    Absent,
    /// Its fault has been said.
    Refused,
}

impl<'n> From<&'n Node> for Value<'n> {
    fn from(node: &'n Node) -> Self {
        let kind = match &node.kind {
            Kind::Scalar(scalar) if scalar.is_absent() => ValueKind::Absent,
            Kind::Scalar(scalar) => {
                ValueKind::Text { slice: scalar.slice(), quoted: scalar.is_quoted() }
            }
            Kind::Map(map) => ValueKind::Map(map),
            Kind::List(list) => ValueKind::List(list),
            Kind::Refused => ValueKind::Refused,
        };
        Self { span: node.span, kind }
    }
}

impl Value<'_> {
    pub(crate) fn described(&self) -> &'static str {
        match self.kind {
            ValueKind::Text { .. } => "a text",
            ValueKind::Map(_) => "a mapping",
            ValueKind::List(_) => "a list",
            ValueKind::Absent => "nothing",
            ValueKind::Refused => "unreadable",
        }
    }
}

/// An element with its keys.
pub(crate) struct Form<'n> {
    pub(crate) construct: &'static Construct,
    /// The whole element.
    pub(crate) span: Span,
    entries: Vec<(&'static Key, Value<'n>)>,
    /// Keys that are the user's own.
    pub(crate) others: Vec<(&'n Scalar, Value<'n>)>,
}

impl<'n> Form<'n> {
    /// The value of a key; asking for one that the table lacks is a fault of the program.
    pub(crate) fn value(&self, key: &str) -> Option<Value<'n>> {
        debug_assert!(self.construct.key(key).is_some(), "{} has `{key}`", self.construct.name);
        self.entries.iter().find(|(of, _)| of.name == key).map(|(_, value)| *value)
    }

    /// Where the value of a key stands; the whole element where it is not set.
    pub(crate) fn span_of(&self, key: &str) -> Span {
        self.value(key).map_or(self.span, |value| value.span)
    }
}

impl<'n> Reader<'n> {
    /// Says a fault.
    pub(crate) fn fault(&mut self, fault: Diagnostic) {
        if !self.has_enough() {
            self.faults.push(fault);
        }
    }

    /// More faults than are ever shown are not worth their making.
    fn has_enough(&self) -> bool {
        self.faults.len() > FAULTS_KEPT_MAX
    }

    /// The element being read, in words: the field `sku`.
    pub(crate) fn place(&self, construct: &Construct) -> String {
        match self.path.last() {
            None => "a model".to_owned(),
            Some(last) if *last == construct.name => format!("`{last}`"),
            Some(last) => format!("the {} `{last}`", construct.name.replace('_', " ")),
        }
    }

    /// Opens an element: short or long, known keys alone, required ones asked for.
    pub(crate) fn open(&mut self, construct: &'static Construct, value: Value<'n>) -> Form<'n> {
        let mut form =
            Form { construct, span: value.span, entries: Vec::new(), others: Vec::new() };
        match value.kind {
            ValueKind::Refused => return form,
            ValueKind::Absent => {}
            ValueKind::Map(map) => {
                for entry in &map.entries {
                    self.entry(&mut form, entry);
                }
            }
            ValueKind::Text { slice, .. } if construct.short.is_some() => {
                let short = construct.short.as_ref().expect("it was just asked for");
                let mut faults = Vec::new();
                let place = || self.place(construct);
                let parts = phrase::read(short, slice, &place, &mut faults);
                self.faults.append(&mut faults);
                for part in parts {
                    let key = construct.key(part.key).expect("a short form sets known keys");
                    let kind = ValueKind::Text { slice: part.value, quoted: false };
                    form.entries.push((key, Value { span: part.value.span(), kind }));
                }
            }
            ValueKind::Text { .. } | ValueKind::List(_) => {
                self.wrong_shape(construct, value);
                return form;
            }
        }
        for (key, node) in self.overrides.of(&self.path) {
            let Some(key) = construct.key(key) else { continue };
            form.entries.retain(|(of, _)| of.name != key.name);
            form.entries.push((key, Value::from(node)));
        }
        self.ask_for_missing(&form);
        form
    }

    fn entry(&mut self, form: &mut Form<'n>, entry: &'n Entry) {
        let construct = form.construct;
        let name = entry.key.value.as_str();
        if let Some(key) = construct.key(name) {
            form.entries.push((key, Value::from(&entry.value)));
        } else if construct.others.is_some() {
            form.others.push((&entry.key, Value::from(&entry.value)));
        } else {
            self.unknown_key(construct, &entry.key);
        }
    }

    /// Says that a construct has no such key.
    pub(crate) fn unknown_key(&mut self, construct: &'static Construct, key: &Scalar) {
        if self.has_enough() {
            return;
        }
        let place = self.place(construct);
        let known = construct.keys.iter().map(|key| key.name);
        self.fault(unknown_key::at(key.span, &key.value, &place, known));
    }

    fn wrong_shape(&mut self, construct: &Construct, value: Value<'_>) {
        let key = self.path.last().copied().unwrap_or("model").to_owned();
        let expected = if construct.short.is_some() { "a text or a mapping" } else { "a mapping" };
        let example = construct.short.as_ref().and_then(|short| short.examples.first());
        let example = example.map_or_else(
            || {
                let first = construct.keys.first().map_or("key", |key| key.name);
                format!("{key}: {{ {first}: … }}")
            },
            |example| format!("{key}: {example}"),
        );
        self.fault(wrong_shape::at(value.span, &key, expected, value.described(), &example));
    }

    fn ask_for_missing(&mut self, form: &Form<'_>) {
        let construct = form.construct;
        let is_set = |name: &str| form.entries.iter().any(|(key, _)| key.name == name);
        let mut faults = Vec::new();
        for key in construct.keys.iter().filter(|key| key.required && !is_set(key.name)) {
            let short = construct.short.as_ref().and_then(|short| short.examples.first());
            let example = short.map_or_else(String::new, |text| (*text).to_owned());
            let place = self.place(construct);
            faults.push(missing_key::at(self.head(form.span), &place, &[key.name], &example));
        }
        let mut set = construct.one_of.iter().filter(|name| is_set(name));
        match (construct.one_of.is_empty(), set.next(), set.next()) {
            (false, None, _) => {
                let place = self.place(construct);
                let span = self.head(form.span);
                faults.push(missing_key::at(span, &place, construct.one_of, ""));
            }
            (_, Some(first), Some(second)) => {
                let place = self.place(construct);
                let (first, second) = (form.span_of(first), form.span_of(second));
                faults.push(missing_key::both(second, &place, construct.one_of, first));
            }
            _ => {}
        }
        if !self.partial {
            self.faults.append(&mut faults);
        }
    }

    /// The whole of an element is too much to underline; its beginning will do.
    fn head(&self, span: Span) -> Span {
        Span { end: span.end.min(span.start.saturating_add(HEAD_BYTES)), ..span }
    }

    /// Reads what stands below a key or a name.
    pub(crate) fn within<T>(&mut self, step: &'n str, read: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(step);
        let result = read(self);
        self.path.pop();
        result
    }

    /// Opens the element of a key, if the key is set.
    pub(crate) fn one(&mut self, form: &Form<'n>, key: &'static str) -> Option<Form<'n>> {
        let absent = Value { span: form.span, kind: ValueKind::Absent };
        let overridden = self.overrides.sets(&self.path, key).then_some(absent);
        let value = form.value(key).or(overridden)?;
        let Some(Shape::One(construct)) = form.construct.key(key).map(|key| key.shape) else {
            unreachable!("`{key}` is one construct in the table");
        };
        Some(self.within(key, |reader| reader.open(construct, value)))
    }

    /// The names and values of a mapping, if the key is set.
    pub(crate) fn named(
        &mut self,
        form: &Form<'n>,
        key: &'static str,
    ) -> Vec<(&'n Scalar, Value<'n>)> {
        let Some(value) = form.value(key) else { return Vec::new() };
        match value.kind {
            ValueKind::Map(map) => {
                map.entries.iter().map(|entry| (&entry.key, Value::from(&entry.value))).collect()
            }
            ValueKind::Absent | ValueKind::Refused => Vec::new(),
            ValueKind::Text { .. } | ValueKind::List(_) => {
                let found = value.described();
                let example = format!("{key}: {{ name: … }}");
                let expected = "a mapping of names";
                self.fault(wrong_shape::at(value.span, key, expected, found, &example));
                Vec::new()
            }
        }
    }

    /// The values of a list, if the key is set; a single value is a list of one where `single`.
    pub(crate) fn items(
        &mut self,
        form: &Form<'n>,
        key: &'static str,
        single: bool,
    ) -> Vec<Value<'n>> {
        let Some(value) = form.value(key) else { return Vec::new() };
        match value.kind {
            ValueKind::List(list) => list.items.iter().map(Value::from).collect(),
            ValueKind::Refused => Vec::new(),
            ValueKind::Absent => Vec::new(),
            ValueKind::Text { .. } | ValueKind::Map(_) if single => vec![value],
            ValueKind::Text { .. } | ValueKind::Map(_) => {
                let found = value.described();
                let example = format!("{key}: [a, b]");
                self.fault(wrong_shape::at(value.span, key, "a list", found, &example));
                Vec::new()
            }
        }
    }
}

/// Faults that are made; those shown are the first of them by their places.
const FAULTS_KEPT_MAX: usize = 2 * FAULTS_MAX;
/// Bytes of an element that are underlined where something in it is missing.
const HEAD_BYTES: u32 = 1;
