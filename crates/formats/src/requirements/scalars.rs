//! Scalars as what their key means: names, flags, choices, quantities, expressions, addresses.

use super::construct::{Leaf, NameKind, Shape};
use super::expression;
use super::faults::{
    bad_expression, bad_quantity, bad_route, bad_variable, not_a_choice, wrong_shape,
};
use super::form::{Form, Reader, Value, ValueKind};
use super::leaf;
use super::names;
use super::source::Slice;
use super::tree::Scalar;
use ir::expr::Expression;
use ir::model::{Bound, Text, Variable};
use ir::quantity::Measure;
use ir::{Name, Span, Spanned};

impl<'n> Reader<'n> {
    /// The scalar of a key, if it is set; anything else than a scalar is said to be wrong.
    pub(crate) fn scalar(&mut self, form: &Form<'n>, key: &'static str) -> Option<Slice<'n>> {
        let value = form.value(key)?;
        self.within(key, |reader| reader.slice(value))
    }

    /// A value as a scalar.
    pub(crate) fn slice(&mut self, value: Value<'n>) -> Option<Slice<'n>> {
        match value.kind {
            ValueKind::Text { slice, .. } => Some(slice.trim()),
            ValueKind::Refused => None,
            ValueKind::Map(_) | ValueKind::List(_) | ValueKind::Absent => {
                let key = self.path.last().copied().unwrap_or("model").to_owned();
                let found = value.described();
                self.fault(wrong_shape::at(value.span, &key, "a text", found, ""));
                None
            }
        }
    }

    /// Any text.
    pub(crate) fn text(&mut self, form: &Form<'n>, key: &'static str) -> Option<Text> {
        self.scalar(form, key).map(|slice| slice.name())
    }

    /// A name of the kind that the table says.
    pub(crate) fn name(&mut self, form: &Form<'n>, key: &'static str) -> Option<Name> {
        let slice = self.scalar(form, key)?;
        let Some(Shape::Leaf(Leaf::Name(kind))) = form.construct.key(key).map(|key| key.shape)
        else {
            unreachable!("`{key}` is a name in the table");
        };
        Some(names::read(kind, slice, &mut self.faults))
    }

    /// A name that a construct can't be without; empty where it is missing, which has been said.
    pub(crate) fn name_or_empty(&mut self, form: &Form<'n>, key: &'static str) -> Name {
        self.name(form, key).unwrap_or_else(|| Spanned::new(String::new(), form.span))
    }

    /// A key of a mapping as a name.
    pub(crate) fn key_name(&mut self, kind: NameKind, key: &Scalar) -> Name {
        names::read(kind, key.slice(), &mut self.faults)
    }

    /// Names in a list or with `|` between them.
    pub(crate) fn names(&mut self, form: &Form<'n>, key: &'static str) -> Vec<Name> {
        let Some(Shape::Leaf(Leaf::Names(kind))) = form.construct.key(key).map(|key| key.shape)
        else {
            unreachable!("`{key}` is a list of names in the table");
        };
        let Some(value) = form.value(key) else { return Vec::new() };
        self.within(key, |reader| reader.names_of(kind, value))
    }

    /// The names of one value.
    pub(crate) fn names_of(&mut self, kind: NameKind, value: Value<'n>) -> Vec<Name> {
        let slices: Vec<Slice<'n>> = match value.kind {
            ValueKind::List(list) => {
                list.items.iter().filter_map(|item| self.slice(Value::from(item))).collect()
            }
            ValueKind::Text { .. } => {
                self.slice(value).into_iter().flat_map(|slice| slice.split('|')).collect()
            }
            ValueKind::Map(_) | ValueKind::Absent | ValueKind::Refused => {
                self.slice(value).into_iter().collect()
            }
        };
        slices.into_iter().map(|slice| names::read(kind, slice, &mut self.faults)).collect()
    }

    /// Where a flag is set.
    pub(crate) fn flag(&mut self, form: &Form<'n>, key: &'static str) -> Option<Span> {
        let slice = self.scalar(form, key)?;
        let word = form.construct.short.as_ref().and_then(|short| {
            short.words.iter().find(|word| word.key == key).map(|word| word.text)
        });
        match slice.text {
            "true" => Some(slice.span()),
            "false" => None,
            text if Some(text) == word => Some(slice.span()),
            text => {
                self.fault(not_a_choice::at(slice.span(), text, key, &["true", "false"]));
                None
            }
        }
    }

    /// One of the words that the table allows.
    pub(crate) fn choice(
        &mut self,
        form: &Form<'n>,
        key: &'static str,
    ) -> Option<Spanned<&'static str>> {
        let Some(Shape::Leaf(Leaf::Choice(words))) = form.construct.key(key).map(|key| key.shape)
        else {
            unreachable!("`{key}` is a choice in the table");
        };
        let slice = self.scalar(form, key)?;
        self.chosen(slice, key, words).map(|word| slice.at(word))
    }

    /// Several of the words that the table allows.
    pub(crate) fn choices(&mut self, form: &Form<'n>, key: &'static str) -> Vec<Name> {
        let Some(Shape::Leaf(Leaf::Choices(words))) = form.construct.key(key).map(|key| key.shape)
        else {
            unreachable!("`{key}` is a list of choices in the table");
        };
        let mut chosen = Vec::new();
        for value in self.items(form, key, true) {
            let Some(slice) = self.within(key, |reader| reader.slice(value)) else { continue };
            for part in slice.split('|') {
                if self.chosen(part, key, words).is_some() {
                    chosen.push(part.name());
                }
            }
        }
        chosen
    }

    fn chosen(
        &mut self,
        slice: Slice<'_>,
        key: &str,
        words: &'static [&'static str],
    ) -> Option<&'static str> {
        let found = words.iter().find(|word| **word == slice.text).copied();
        if found.is_none() {
            self.fault(not_a_choice::at(slice.span(), slice.text, key, words));
        }
        found
    }

    /// A quantity by its reader; what can't be read is said with an example.
    fn quantity<T>(
        &mut self,
        form: &Form<'n>,
        key: &'static str,
        what: (&str, &str),
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<Spanned<T>> {
        let slice = self.scalar(form, key)?;
        self.quantity_of(slice, what, read)
    }

    fn quantity_of<T>(
        &mut self,
        slice: Slice<'_>,
        (what, example): (&str, &str),
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<Spanned<T>> {
        let value = read(slice.text);
        if value.is_none() {
            self.fault(bad_quantity::at(slice.span(), slice.text, what, example));
        }
        value.map(|value| slice.at(value))
    }

    /// Seconds.
    pub(crate) fn duration(&mut self, form: &Form<'n>, key: &'static str) -> Option<Spanned<f64>> {
        self.quantity(form, key, DURATION, leaf::duration)
    }

    /// Seconds of one value.
    pub(crate) fn duration_of(&mut self, value: Value<'n>) -> Option<Spanned<f64>> {
        let slice = self.slice(value)?;
        self.quantity_of(slice, DURATION, leaf::duration)
    }

    /// Share of 1, at most 1.
    pub(crate) fn share(&mut self, form: &Form<'n>, key: &'static str) -> Option<Spanned<f64>> {
        let read = self.quantity(form, key, ("a share in per cent", "99.9%"), leaf::share)?;
        if read.value > 1.0 {
            let text = self.scalar(form, key).map_or("", |slice| slice.text);
            self.fault(bad_quantity::outside(read.span, text, "0% to 100%"));
            return None;
        }
        Some(read)
    }

    /// Requests a second.
    pub(crate) fn rate(&mut self, form: &Form<'n>, key: &'static str) -> Option<Spanned<f64>> {
        self.quantity(form, key, ("a rate", "50 per second"), leaf::rate)
    }

    /// A factor.
    pub(crate) fn factor(&mut self, form: &Form<'n>, key: &'static str) -> Option<f64> {
        let what = ("a factor", "3x");
        self.quantity(form, key, what, leaf::factor).map(|read| read.value)
    }

    /// A whole number.
    pub(crate) fn whole(&mut self, form: &Form<'n>, key: &'static str) -> Option<Spanned<u32>> {
        self.quantity(form, key, ("a whole number", "3"), leaf::whole)
    }

    /// People.
    pub(crate) fn people(&mut self, form: &Form<'n>, key: &'static str) -> Option<Spanned<u32>> {
        self.quantity(form, key, ("a number of people", "6 engineers"), leaf::people)
    }

    /// Amount and currency.
    pub(crate) fn amount(&mut self, form: &Form<'n>, key: &'static str) -> Option<(f64, String)> {
        let read = |text: &str| leaf::amount(text).map(|(amount, code)| (amount, code.to_owned()));
        let what = ("an amount with its currency", "900 USD");
        let slice = self.scalar(form, key)?;
        let (amount, code) = self.quantity_of(slice, what, read)?.value;
        if ir::value::Currency::of(&code).is_none() {
            self.fault(bad_quantity::currency(slice.span(), slice.text, &code));
            return None;
        }
        Some((amount, code))
    }

    /// One value or a range, in the unit that the table says.
    pub(crate) fn measure(
        &mut self,
        form: &Form<'n>,
        key: &'static str,
    ) -> Option<Spanned<Measure>> {
        type Read = fn(&str) -> Option<f64>;
        let leaf = form.construct.key(key).map(|key| key.shape);
        let (what, read): ((&str, &str), Read) = match leaf {
            Some(Shape::Leaf(Leaf::Rates)) => (("a rate", "1200 rps"), leaf::rate),
            Some(Shape::Leaf(Leaf::Bytes)) => (("a size", "2 kB"), leaf::bytes),
            Some(Shape::Leaf(Leaf::Durations)) => (DURATION, leaf::duration),
            _ => (("a number", "40"), leaf::number),
        };
        self.quantity(form, key, what, |text| leaf::measure(text, read))
    }

    /// A bound of a field, as written.
    pub(crate) fn bound(&mut self, form: &Form<'n>, key: &'static str) -> Option<Bound> {
        let slice = self.scalar(form, key)?;
        Some(Bound { text: slice.text.to_owned(), span: slice.span() })
    }

    /// A condition or a value.
    pub(crate) fn expression(&mut self, form: &Form<'n>, key: &'static str) -> Option<Expression> {
        let value = form.value(key)?;
        self.within(key, |reader| reader.expression_of(value))
    }

    /// One value as an expression.
    pub(crate) fn expression_of(&mut self, value: Value<'n>) -> Option<Expression> {
        if let ValueKind::Absent = value.kind {
            self.fault(bad_expression::at(value.span, "an expression is missing here"));
            return None;
        }
        let slice = self.slice(value)?;
        match expression::parse_slice(slice) {
            Ok(expression) => Some(expression),
            Err(fault) => {
                let fault = *fault;
                let quoted = matches!(value.kind, ValueKind::Text { quoted: true, .. });
                let words = fault.code == bad_expression::CODE
                    && slice.text.contains(' ')
                    && slice.text.chars().all(|c| c.is_alphanumeric() || " -.!_".contains(c));
                self.fault(if quoted && words {
                    let cure = format!("(\"{}\")", slice.text);
                    fault
                        .why("YAML takes the outer quotes away before the expression is read")
                        .help(format!("text in an expression has quotes of its own: `{cure}`"))
                } else {
                    fault
                });
                None
            }
        }
    }

    /// Names and expressions of a mapping.
    pub(crate) fn expressions(
        &mut self,
        form: &Form<'n>,
        key: &'static str,
    ) -> Vec<(Name, Expression)> {
        let Some(Shape::Named(kind, _)) = form.construct.key(key).map(|key| key.shape) else {
            unreachable!("`{key}` is a mapping of names in the table");
        };
        let mut read = Vec::new();
        for (name, value) in self.named(form, key) {
            let expression = self.within(&name.value, |reader| reader.expression_of(value));
            let name = self.key_name(kind, name);
            read.extend(expression.map(|expression| (name, expression)));
        }
        read
    }

    /// A text in which variables are known.
    pub(crate) fn with_variables(&mut self, form: &Form<'n>, key: &'static str) -> Option<Text> {
        let slice = self.scalar(form, key)?;
        let path = format!("{}.{key}", self.path.join("."));
        Some(self.variables_of(slice, &path))
    }

    /// A text in which variables are known, of a path in the model.
    fn variables_of(&mut self, slice: Slice<'_>, path: &str) -> Text {
        let mut rest = slice;
        while let Some(at) = rest.text.find("${") {
            let body = rest.part(at + 2, rest.text.len());
            let Some(end) = body.text.find('}') else {
                let open = rest.part(at, rest.text.len());
                self.fault(bad_variable::at(open.span(), open.text, "`}` is missing"));
                return slice.name();
            };
            let whole = rest.part(at, at + 2 + end + 1);
            self.variable(whole, body.part(0, end), path);
            rest = body.part(end + 1, body.text.len());
        }
        slice.name()
    }

    /// Secrets, each one variable and nothing else; a secret itself is refused.
    pub(crate) fn secrets(&mut self, form: &Form<'n>, key: &'static str) -> Vec<Text> {
        let path = format!("{}.{key}", self.path.join("."));
        let mut read = Vec::new();
        for value in self.items(form, key, true) {
            let Some(slice) = self.within(key, |reader| reader.slice(value)) else { continue };
            let inner = slice.text.strip_prefix("${").and_then(|text| text.strip_suffix('}'));
            if inner.is_some_and(|inner| !inner.contains("${")) {
                read.push(self.variables_of(slice, &path));
            } else {
                self.fault(bad_variable::secret(slice.span()));
            }
        }
        read
    }

    fn variable(&mut self, whole: Slice<'_>, body: Slice<'_>, path: &str) {
        let (file, name) = match body.text.strip_prefix("file:") {
            Some(_) => (true, body.part("file:".len(), body.text.len()).trim()),
            None => (false, body),
        };
        let is_name = name.text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if file && name.text.is_empty() {
            return self.fault(bad_variable::at(whole.span(), whole.text, "the path is missing"));
        }
        if !file && !is_name {
            let message = "a name has letters, digits and `_`";
            return self.fault(bad_variable::at(whole.span(), whole.text, message));
        }
        let used_by = path.to_owned();
        self.variables.push(Variable { name: name.name(), file, used_by });
    }

    /// The address of a system outside.
    pub(crate) fn url(&mut self, form: &Form<'n>, key: &'static str) -> Option<Text> {
        let text = self.with_variables(form, key)?;
        let known = ["http://", "https://", "${"].iter().any(|start| text.value.starts_with(start));
        if !known || text.value.contains(char::is_whitespace) && !text.value.contains("${") {
            let message = "an address begins with `http://` or `https://`";
            let example = "https://api.example.com";
            self.fault(bad_route::at(text.span, &text.value, message, example));
        }
        Some(text)
    }

    /// How a call to a system outside proves itself; a secret itself is refused.
    pub(crate) fn auth(&mut self, form: &Form<'n>, key: &'static str) -> Option<Text> {
        let text = self.with_variables(form, key)?;
        let mut words = text.value.split_whitespace();
        let scheme = words.next().unwrap_or_default();
        if !["bearer", "basic", "header"].contains(&scheme) {
            let schemes = &["bearer", "basic", "header"];
            self.fault(not_a_choice::at(text.span, scheme, key, schemes));
        } else if !text.value.contains("${") {
            self.fault(bad_variable::secret(text.span));
        }
        Some(text)
    }
}

const DURATION: (&str, &str) = ("a length of time", "200 ms");
