//! Facts about technologies and their prices, each with a date and a source.
//!
//! The lists are YAML of a plain form: keys at the margin, then `items:` with one item a line as
//! `name: { value: 0.5, unit: USD/hour, source: "…" }`. A user's list of the same form goes on top
//! ([`Catalog::overlay`]); what it leaves out stays.

use crate::capacity::Term;
use ir::quantity::{Grade, Unit};
use std::collections::BTreeMap;

/// Items of one list at most.
const ITEMS_MAX: usize = 1_000;
/// Bytes of one line at most.
const LINE_BYTES_MAX: usize = 1_000;

/// One fact.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Its value in base units.
    pub value: f64,
    /// Its unit.
    pub unit: Unit,
    /// Where it is from: list, date and the item's own note.
    pub source: String,
}

/// A fault in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong, and what to do.
    pub message: String,
}

/// All facts that rules may use.
#[derive(Debug, Clone, PartialEq)]
pub struct Catalog {
    items: BTreeMap<String, Item>,
    /// The currency of the prices.
    pub currency: String,
    /// The month of the prices, `2026-06`.
    pub prices_date: String,
    /// Whose prices.
    pub prices_source: String,
}

impl Default for Catalog {
    fn default() -> Self {
        let mut catalog = Self {
            items: BTreeMap::new(),
            currency: String::new(),
            prices_date: String::new(),
            prices_source: String::new(),
        };
        for text in LISTS {
            catalog.overlay(text).expect("the lists that are built in are read by a test");
        }
        catalog
    }
}

/// The lists that are built in, as text.
pub const LISTS: &[&str] = &[
    include_str!("../catalog/prices.yaml"),
    include_str!("../catalog/engine.yaml"),
    include_str!("../catalog/platform.yaml"),
];

impl Catalog {
    /// Puts a list on top of what is there.
    ///
    /// # Errors
    /// Every line that is not of the form, with its number; nothing is taken over then.
    pub fn overlay(&mut self, text: &str) -> Result<(), Vec<Fault>> {
        let mut faults = Vec::new();
        let mut head = BTreeMap::new();
        let mut found = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim_end();
            if line.is_empty() || line.trim_start().starts_with('#') || line == "items:" {
                continue;
            }
            let entry = if line.len() > LINE_BYTES_MAX || found.len() >= ITEMS_MAX {
                Err(format!("more than {LINE_BYTES_MAX} bytes in a line or {ITEMS_MAX} items"))
            } else if line.starts_with(' ') {
                item(line).map(|entry| found.push(entry))
            } else {
                pair(line).map(|(key, value)| {
                    head.insert(key, value);
                })
            };
            if let Err(message) = entry {
                faults.push(Fault { line: at + 1, message });
            }
        }
        let list = head.get("list").cloned().unwrap_or_else(|| "list".to_owned());
        let date = head.get("date").cloned().unwrap_or_else(|| {
            faults.push(Fault { line: 1, message: "the list has no `date:`".to_owned() });
            String::new()
        });
        let source = head.get("source").cloned().unwrap_or_else(|| {
            faults.push(Fault { line: 1, message: "the list has no `source:`".to_owned() });
            String::new()
        });
        if !faults.is_empty() {
            return Err(faults);
        }
        if let Some(currency) = head.get("currency") {
            (self.currency, self.prices_date) = (currency.clone(), date.clone());
            self.prices_source = source.clone();
        }
        for (name, mut item) in found {
            let note = if item.source.is_empty() { &source } else { &item.source };
            item.source = format!("catalogue {list}, {date}: {note}");
            self.items.insert(name, item);
        }
        Ok(())
    }

    /// The fact of that name as an input of a formula.
    ///
    /// # Panics
    /// If no list has it; rules name built-in items alone, which a test holds.
    pub fn term(&self, name: &str) -> Term {
        let item = self.item(name);
        Term::input(name, item.value, item.unit.clone(), Grade::Catalogue, &item.source)
    }

    /// The fact of that name as an input, if a list has it.
    pub fn find(&self, name: &str) -> Option<Term> {
        let item = self.items.get(name)?;
        let unit = item.unit.clone();
        Some(Term::input(name, item.value, unit, Grade::Catalogue, &item.source))
    }

    /// The fact of that name.
    ///
    /// # Panics
    /// As [`Catalog::term`].
    pub fn item(&self, name: &str) -> &Item {
        self.items.get(name).expect("rules name items of the built-in lists")
    }

    /// The value of that name.
    pub fn value(&self, name: &str) -> f64 {
        self.item(name).value
    }
}

fn pair(line: &str) -> Result<(String, String), String> {
    let (key, value) = line.split_once(':').ok_or_else(|| "expected `key: value`".to_owned())?;
    Ok((key.trim().to_owned(), unquoted(value).to_owned()))
}

fn unquoted(text: &str) -> &str {
    text.trim().trim_matches('"')
}

/// `  name: { value: 0.5, unit: USD/hour, source: "…" }`
fn item(line: &str) -> Result<(String, Item), String> {
    let (name, rest) =
        line.split_once(':').ok_or_else(|| "expected `name: { value: …, unit: … }`".to_owned())?;
    let name = name.trim().to_owned();
    let body = rest.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let body =
        body.ok_or_else(|| format!("`{name}` is not of the form `{{ value: …, unit: … }}`"))?;
    let (mut value, mut unit, mut source) = (None, Unit::One, String::new());
    for part in parts(body) {
        let (key, text) = pair(part)?;
        match key.as_str() {
            "value" => {
                let number = text.replace('_', "").parse::<f64>().ok();
                value = number.filter(|number| number.is_finite() && *number >= 0.0);
            }
            "unit" => unit = unit_of(&text),
            "source" => source = text,
            other => return Err(format!("`{name}` has an unknown key `{other}`")),
        }
    }
    let value =
        value.ok_or_else(|| format!("`{name}` needs a `value` that is a number, 0 or more"))?;
    Ok((name, Item { value, unit, source }))
}

/// Cuts at commas outside quotes.
fn parts(body: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut quoted) = (0, false);
    for (at, c) in body.char_indices() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => {
                parts.push(&body[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&body[start..]);
    parts
}

/// The unit of a word in a list; other words count things.
pub(crate) fn unit_of(text: &str) -> Unit {
    match text {
        "seconds" => Unit::Seconds,
        "share" => Unit::Share,
        "bytes" => Unit::Bytes,
        "bytes/s" => Unit::BytesPerSecond,
        "rps" => Unit::PerSecond,
        "factor" => Unit::One,
        other => Unit::Count(other.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_lists_are_of_the_form_and_say_date_and_source() {
        let catalog = Catalog::default();
        assert_eq!(catalog.currency, "USD");
        assert!(catalog.items.len() > 50);
        let source = &catalog.item("container_vcpu").source;
        assert_eq!(source, "catalogue prices, 2026-06: Fargate, Linux on ARM, a vCPU");
    }

    #[test]
    fn a_list_of_the_users_own_goes_on_top_and_leaves_the_rest() {
        let mut catalog = Catalog::default();
        let own = "list: ours\ncurrency: EUR\ndate: 2026-10\nsource: contract 17\nitems:\n  \
                   container_vcpu: { value: 0.02, unit: EUR/hour }\n";
        catalog.overlay(own).expect("it is of the form");
        assert!((catalog.value("container_vcpu") - 0.02).abs() < 1e-12);
        assert_eq!(catalog.item("container_vcpu").source, "catalogue ours, 2026-10: contract 17");
        assert_eq!(catalog.currency, "EUR");
        assert!(catalog.value("container_gb") > 0.0);
    }

    #[test]
    fn every_faulty_line_is_named_and_nothing_is_taken_over() {
        let mut catalog = Catalog::default();
        let before = catalog.clone();
        let faults = catalog
            .overlay(
                "list: x\nitems:\n  a: { value: much }\n  b: 3\n  c: { value: 1, colour: red }\n",
            )
            .expect_err("it has faults");
        let lines: Vec<_> = faults.iter().map(|fault| fault.line).collect();
        assert_eq!(lines, [3, 4, 5, 1, 1]);
        assert_eq!(catalog, before);
    }
}
