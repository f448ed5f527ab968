//! `mainstay.<name>.yaml`: what an environment may set over the model, and nothing else.

use super::construct::{Construct, MODEL, Shape};
use super::faults::{environment_only, environment_unknown, wrong_shape};
use super::tree::{Entry, Kind, Node};
use ir::{Diagnostic, Span};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Values set by an environment, by the path of the element that they belong to.
#[derive(Debug, Default)]
pub(crate) struct Overrides<'n> {
    values: BTreeMap<String, Vec<(&'static str, &'n Node)>>,
    /// Elements named: path, name, what it is, and where.
    named: Vec<(String, &'static str, Span)>,
    met: RefCell<Vec<String>>,
}

impl<'n> Overrides<'n> {
    /// Reads the roots of an environment's files.
    pub(crate) fn read(roots: &'n [Node], faults: &mut Vec<Diagnostic>) -> Self {
        let mut overrides = Self::default();
        for root in roots {
            match &root.kind {
                Kind::Map(map) => overrides.element("", &MODEL, &map.entries, faults),
                Kind::Scalar(scalar) if scalar.is_absent() => {}
                Kind::Scalar(_) | Kind::List(_) => {
                    faults.push(wrong_shape::file(root.span, root.described()));
                }
                Kind::Refused => {}
            }
        }
        overrides
    }

    fn element(
        &mut self,
        path: &str,
        construct: &'static Construct,
        entries: &'n [Entry],
        faults: &mut Vec<Diagnostic>,
    ) {
        let allowed: Vec<&str> =
            construct.keys.iter().filter(|key| key.environment).map(|key| key.name).collect();
        for entry in entries {
            let name = entry.key.value.as_str();
            let key = construct.key(name).filter(|key| key.environment);
            let Some(key) = key else {
                let place = match path.rsplit('.').next() {
                    None | Some("") => "the model".to_owned(),
                    Some(last) if construct.name == last => format!("`{last}`"),
                    Some(last) => format!("the {} `{last}`", construct.name),
                };
                faults.push(environment_only::at(entry.key.span, name, &place, &allowed));
                continue;
            };
            let below = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            match (key.shape, &entry.value.kind) {
                (Shape::One(inner), Kind::Map(map)) if path.is_empty() => {
                    self.element(&below, inner, &map.entries, faults);
                }
                (Shape::Named(_, Shape::One(inner)), Kind::Map(map)) if path.is_empty() => {
                    self.elements(&below, inner, &map.entries, faults);
                }
                (_, Kind::Scalar(_) | Kind::List(_)) if path.is_empty() => {
                    let found = entry.value.described();
                    faults.push(wrong_shape::at(entry.value.span, name, "a mapping", found, ""));
                }
                _ => self.values.entry(path.to_owned()).or_default().push((key.name, &entry.value)),
            }
        }
    }

    fn elements(
        &mut self,
        path: &str,
        construct: &'static Construct,
        entries: &'n [Entry],
        faults: &mut Vec<Diagnostic>,
    ) {
        for entry in entries {
            let below = format!("{path}.{}", entry.key.value);
            self.named.push((below.clone(), construct.name, entry.key.span));
            match &entry.value.kind {
                Kind::Map(map) => self.element(&below, construct, &map.entries, faults),
                Kind::Scalar(_) | Kind::List(_) => {
                    let name = &entry.key.value;
                    let found = entry.value.described();
                    faults.push(wrong_shape::at(entry.value.span, name, "a mapping", found, ""));
                }
                Kind::Refused => {}
            }
        }
    }

    /// What is set of the element at that path.
    pub(crate) fn of(&self, path: &[&str]) -> impl Iterator<Item = (&'static str, &'n Node)> {
        let found = if self.named.is_empty() && self.values.is_empty() {
            None
        } else {
            let path = path.join(".");
            self.met.borrow_mut().push(path.clone());
            self.values.get(&path)
        };
        found.into_iter().flatten().copied()
    }

    /// Whether anything is set below that key of the element at `path`, for elements that lack it.
    pub(crate) fn sets(&self, path: &[&str], key: &str) -> bool {
        !self.values.is_empty() && path.is_empty() && self.values.contains_key(key)
    }

    /// Names that the model does not have.
    pub(crate) fn unknown(&self, faults: &mut Vec<Diagnostic>) {
        let met = self.met.borrow();
        for (path, what, span) in &self.named {
            if met.iter().any(|known| known == path) {
                continue;
            }
            let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
            let siblings = met.iter().filter_map(|known| {
                known.strip_prefix(parent)?.strip_prefix('.').filter(|rest| !rest.contains('.'))
            });
            faults.push(environment_unknown::at(*span, name, what, siblings));
        }
    }
}
