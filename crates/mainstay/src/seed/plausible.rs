//! Plausible rows for a model without seed files: by type and name, the same for the same seed.

use super::words::{ADJECTIVES, CITIES, COUNTRIES, FAMILY, GIVEN, NOUNS};
use super::{Row, Tree};
use ir::domain::{Command, Domain, Field, Kind, Resource, ResourceId, Source};
use ir::model::FieldType;
use ir::value::Value;
use std::collections::BTreeMap;

/// Rows of each root.
const ROWS: usize = 12;
/// Commands that are tried on a row.
const COMMANDS_MAX: u64 = 3;
/// Items of a list, children of a row.
const ITEMS_MAX: u64 = 3;
/// People who own rows.
const PEOPLE: [&str; 3] = ["alice", "bob", "carol"];
/// Tenants, where the model has them.
const TENANTS: [&str; 2] = ["acme", "bluebird"];

/// Rows of every root that somebody may create, in an order in which references are there.
pub(crate) fn plausible(domain: &Domain, seed: u64) -> Vec<Row> {
    let tenants: Vec<Option<String>> = match domain.tenancy {
        Some(_) => TENANTS.iter().map(|tenant| Some((*tenant).to_owned())).collect(),
        None => vec![None],
    };
    let mut rows = Vec::new();
    for (number, tenant) in tenants.into_iter().enumerate() {
        let random = Random(seed.wrapping_add(number as u64));
        let mut maker = Maker { domain, random, names: BTreeMap::new() };
        for id in in_order(domain) {
            let shared_again = domain.resource(id).shared && number > 0;
            if !domain.resource(id).access.create.is_empty() && !shared_again {
                rows.extend((0..ROWS).map(|at| maker.row(tenant.clone(), id, at)));
            }
        }
    }
    rows
}

/// Roots so that what is referred to comes first; a cycle is cut where it is met.
fn in_order(domain: &Domain) -> Vec<ResourceId> {
    fn visit(
        domain: &Domain,
        id: ResourceId,
        seen: &mut Vec<ResourceId>,
        out: &mut Vec<ResourceId>,
    ) {
        if seen.contains(&id) {
            return;
        }
        seen.push(id);
        for field in &domain.resource(id).fields {
            match field.kind {
                Kind::Reference { target, .. } | Kind::Children { target, .. } => {
                    visit(domain, target, seen, out);
                }
                Kind::Scalar | Kind::Enum(_) | Kind::Actor(_) => {}
            }
        }
        if domain.resource(id).owner.is_none() {
            out.push(id);
        }
    }
    let (mut seen, mut out) = (Vec::new(), Vec::new());
    for (id, _) in domain.roots() {
        visit(domain, id, &mut seen, &mut out);
    }
    out
}

/// SplitMix64: small, and the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to `end`, without it.
    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    fn one<'a>(&mut self, of: &'a [&'a str]) -> &'a str {
        of[usize::try_from(self.below(of.len() as u64)).unwrap_or(0)]
    }

    /// True in so many of 100 cases.
    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

struct Maker<'a> {
    domain: &'a Domain,
    random: Random,
    /// Names of rows by resource.
    names: BTreeMap<ResourceId, Vec<String>>,
}

impl Maker<'_> {
    fn row(&mut self, tenant: Option<String>, id: ResourceId, at: usize) -> Row {
        let resource = self.domain.resource(id);
        let fields = self.fields(resource, at);
        let then = self.commands(resource, at);
        let name = format!("{}-{at}", resource.path);
        self.names.entry(id).or_default().push(name.clone());
        let place = String::new();
        Row { tenant, resource: id, name, place, fields, then, may_fail: true }
    }

    fn fields(&mut self, resource: &Resource, at: usize) -> Vec<(String, Tree)> {
        let mut values = Vec::new();
        let writable = resource.fields().filter(|(_, field)| field.source.writable());
        for (id, field) in writable {
            let alone = resource.uniques.iter().any(|unique| unique.fields == [id]);
            let left_out = match &field.source {
                Source::Default(_) => self.random.chance(30),
                Source::Client
                | Source::Caller
                | Source::Computed(_)
                | Source::Copied(..)
                | Source::State
                | Source::Counted => field.optional && self.random.chance(30),
            };
            if left_out {
                continue;
            }
            if let Some(value) = self.value(field, at) {
                let value = if alone { distinct(field, value, at) } else { value };
                values.push((field.name.clone(), value));
            }
        }
        values
    }

    fn value(&mut self, field: &Field, at: usize) -> Option<Tree> {
        Some(Tree::Text(match &field.kind {
            Kind::Scalar => return self.scalar(field, &field.declared, at),
            Kind::Enum(values) => {
                let picked = self.random.below(values.len() as u64);
                values[usize::try_from(picked).unwrap_or(0)].clone()
            }
            Kind::Reference { target, .. } => {
                let names = self.names.get(target)?;
                let picked = self.random.below(names.len() as u64);
                names[usize::try_from(picked).unwrap_or(0)].clone()
            }
            Kind::Actor(_) => PEOPLE[at % PEOPLE.len()].to_owned(),
            Kind::Children { target, min, max } => {
                let child = self.domain.resource(*target);
                let most = u64::from(*max).min(ITEMS_MAX).max(u64::from(*min));
                let least = u64::from(*min).max(1).min(most);
                let items = least + self.random.below(most - least + 1);
                let item = |item: u64| {
                    let number = usize::try_from(item).unwrap_or(0);
                    Tree::Map(self.fields(child, at * 100 + number))
                };
                return Some(Tree::List((0..items).map(item).collect()));
            }
        }))
    }

    fn scalar(&mut self, field: &Field, declared: &FieldType, at: usize) -> Option<Tree> {
        let number = at as i64;
        Some(Tree::Text(match declared {
            FieldType::String | FieldType::Text => match &field.pattern {
                Some(pattern) => matching(field, pattern, at)?,
                None => self.words(field, declared, at),
            },
            FieldType::Int | FieldType::Counter => self.int(field).to_string(),
            FieldType::Decimal { scale, .. } => self.decimal(field, *scale),
            FieldType::Bool => self.random.chance(50).to_string(),
            FieldType::Money { currency } => {
                let currency = currency.as_deref().unwrap_or("EUR");
                // Whole units: every currency has those.
                format!("{} {currency}", 3 + self.random.below(180))
            }
            FieldType::Date => format!("2026-{:02}-{:02}", 1 + at % 12, 1 + self.random.below(28)),
            FieldType::Time => format!("{:02}:{:02}:00", 8 + at % 10, self.random.below(4) * 15),
            FieldType::Timestamp => {
                format!("2026-{:02}-{:02}T09:30:00Z", 1 + at % 12, 1 + self.random.below(28))
            }
            FieldType::Duration => format!("PT{}M", 15 * (1 + self.random.below(8))),
            FieldType::Timespan => {
                let day = format!("2030-{:02}-{:02}", 1 + at % 12, 1 + (at / 12) % 28);
                let member = |name: &str, hour: i64| {
                    (name.to_owned(), Tree::Text(format!("{day}T{hour:02}:00:00Z")))
                };
                let hour = 8 + number % 10;
                return Some(Tree::Map(vec![member("start", hour), member("end", hour + 1)]));
            }
            FieldType::Uuid => {
                format!("{:08x}-0000-4000-8000-{:012x}", at, self.random.next() >> 16)
            }
            FieldType::Url => format!("https://example.com/{}", self.slug(at)),
            FieldType::Email => {
                let given = self.random.one(&GIVEN).to_lowercase();
                format!("{given}.{at}@example.com")
            }
            FieldType::Json => {
                return Some(Tree::Map(vec![(
                    "note".to_owned(),
                    Tree::Text(self.random.one(&NOUNS).to_owned()),
                )]));
            }
            FieldType::List(of) => {
                let items = 1 + self.random.below(ITEMS_MAX);
                let number = |item: u64| at * 10 + usize::try_from(item).unwrap_or(0);
                let item = |item: u64| self.scalar(field, of, number(item));
                return (0..items).map(item).collect::<Option<Vec<_>>>().map(Tree::List);
            }
            FieldType::Enum(_)
            | FieldType::Reference { .. }
            | FieldType::Actor(_)
            | FieldType::Many { .. } => return None,
        }))
    }

    fn words(&mut self, field: &Field, declared: &FieldType, at: usize) -> String {
        let named = |words: &[&str]| words.iter().any(|word| field.name.contains(word));
        let mut text = if named(&["code", "slug", "key", "sku", "number"]) {
            self.slug(at)
        } else if named(&["first_name", "given"]) {
            self.random.one(&GIVEN).to_owned()
        } else if named(&["last_name", "family", "surname"]) {
            self.random.one(&FAMILY).to_owned()
        } else if named(&["person", "author", "owner", "contact"]) || field.personal {
            format!("{} {}", self.random.one(&GIVEN), self.random.one(&FAMILY))
        } else if named(&["city", "town"]) {
            self.random.one(&CITIES).to_owned()
        } else if named(&["country"]) {
            self.random.one(&COUNTRIES).to_owned()
        } else if named(&["phone"]) {
            format!("+49 30 55501{:02}", at % 100)
        } else {
            let (adjective, noun) = (self.random.one(&ADJECTIVES), self.random.one(&NOUNS));
            let sentence = *declared == FieldType::Text;
            format!("{adjective} {noun}{}", if sentence { ", as agreed" } else { "" })
        };
        let (least, most) = lengths(field);
        text = text.chars().take(most).collect();
        while text.chars().count() < least {
            text.push(char::from(b'a' + u8::try_from(self.random.below(26)).unwrap_or(0)));
        }
        text
    }

    /// A word that differs from row to row.
    fn slug(&mut self, at: usize) -> String {
        format!("{}{at}", &self.random.one(&NOUNS)[..4])
    }

    fn int(&mut self, field: &Field) -> i64 {
        let bound = |bound: &Option<Value>| match bound {
            Some(Value::Int(number)) => Some(*number),
            Some(_) | None => None,
        };
        let least = bound(&field.min).unwrap_or(0);
        let most = bound(&field.max).unwrap_or(least.saturating_add(100)).max(least);
        let room = most.saturating_sub(least).min(100).unsigned_abs();
        least.saturating_add_unsigned(self.random.below(room + 1))
    }

    fn decimal(&mut self, field: &Field, scale: u8) -> String {
        let units = |bound: &Option<Value>| match bound {
            Some(Value::Decimal { units, .. }) => Some(*units),
            Some(_) | None => None,
        };
        let one = 10_i64.pow(u32::from(scale.min(18)));
        let least = units(&field.min).unwrap_or(0);
        let most = units(&field.max).unwrap_or(least.saturating_add(9 * one)).max(least);
        let room = most.saturating_sub(least).unsigned_abs();
        let value = least.saturating_add_unsigned(self.random.below(room.saturating_add(1)));
        let sign = if value < 0 { "-" } else { "" };
        let (whole, rest) =
            (value.unsigned_abs() / one.unsigned_abs(), value.unsigned_abs() % one.unsigned_abs());
        if scale == 0 {
            return format!("{sign}{whole}");
        }
        format!("{sign}{whole}.{rest:0width$}", width = usize::from(scale))
    }

    /// A walk along the transitions from the first state, with commands that need no input.
    fn commands(&mut self, resource: &Resource, at: usize) -> Vec<(String, Vec<(String, Tree)>)> {
        let mut states: BTreeMap<usize, String> = BTreeMap::new();
        for (id, field) in resource.fields() {
            if let (true, Kind::Enum(values)) = (field.state, &field.kind) {
                states.insert(id.index(), values[0].clone());
            }
        }
        let mut walk = Vec::new();
        for _ in 0..(at as u64 % (COMMANDS_MAX + 1)) {
            let open: Vec<&Command> = resource
                .commands
                .iter()
                .filter(|command| {
                    let ready = command.transitions.iter().all(|transition| {
                        let now = states.get(&transition.field.index());
                        now.is_some_and(|now| transition.from.contains(now))
                    });
                    ready && !command.transitions.is_empty() && command.input.is_empty()
                })
                .collect();
            if open.is_empty() {
                break;
            }
            let picked = usize::try_from(self.random.below(open.len() as u64)).unwrap_or(0);
            let command = open[picked];
            for transition in &command.transitions {
                states.insert(transition.field.index(), transition.to.clone());
            }
            walk.push((command.name.clone(), Vec::new()));
        }
        walk
    }
}

/// Characters that a text has at least and at most.
fn lengths(field: &Field) -> (usize, usize) {
    let bound = |bound: &Option<Value>| match bound {
        Some(Value::Int(length)) => usize::try_from(*length).ok(),
        Some(_) | None => None,
    };
    (bound(&field.min).unwrap_or(1), bound(&field.max).unwrap_or(usize::MAX))
}

/// The value of a field that no two rows may share: words with the row's number.
fn distinct(field: &Field, value: Tree, at: usize) -> Tree {
    let words = matches!(field.declared, FieldType::String | FieldType::Text);
    let (Tree::Text(text), true, None) = (&value, words, &field.pattern) else { return value };
    let number = format!(" {at}");
    let (_, most) = lengths(field);
    let room = most.saturating_sub(number.len());
    let kept: String = text.chars().take(room).collect();
    let text = if room == 0 { at.to_string() } else { kept + &number };
    Tree::Text(text.chars().take(most).collect())
}

/// A text that the field's pattern matches: another one for each row.
fn matching(field: &Field, pattern: &str, at: usize) -> Option<String> {
    let (least, most) = lengths(field);
    formats::matching(pattern, least, most, at as u64).map(String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same() {
        let drawn =
            |seed| (0..5).map(|_| 0).scan(Random(seed), |r, _| Some(r.below(1000))).collect();
        let (first, second): (Vec<u64>, Vec<u64>) = (drawn(7), drawn(7));
        assert_eq!(first, second);
        let other: Vec<u64> = drawn(8);
        assert_ne!(first, other);
    }
}
