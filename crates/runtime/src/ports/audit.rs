//! The audit trail as data: entries, the chain that holds them, and the walk that proves it.
//!
//! There is one chain for each tenant and one for what tenants share. An entry is numbered and
//! hashed by the store that appends it, in the transaction of the change that it tells of:
//! `hash = SHA-256(previous hash ‖ fields of the entry)`, each field with its length before it.
//! Whoever changes, adds or takes away an entry behind the store's back breaks the chain, and
//! whoever noted a head finds out when the end is cut off.

use ring::digest::{Context, SHA256};

/// The hash before the first entry of a chain.
pub const GENESIS: [u8; 32] = [0; 32];

/// Name of the chain of what tenants share; no tenant can be called that.
pub const SHARED: &str = "";

/// Entries that are read or removed at a time.
pub const BATCH_ENTRIES_MAX: usize = 500;

/// What somebody did or looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// UUIDv7.
    pub id: u128,
    /// Of what tenants share, so in the chain of no tenant.
    pub shared: bool,
    /// Microseconds since 1970.
    pub time: i64,
    /// The caller's subject; empty without token.
    pub who: String,
    /// `updateOrder`, `placeOrder`, `listOrders`
    pub operation: String,
    /// `ordering.Order`
    pub resource: String,
    /// The row, where it is about one.
    pub row: Option<u128>,
    /// A JSON object with the rest: actor, roles, changes, rule, trace.
    pub body: String,
    /// Index of the change in its set that it tells of: rows that go or change with that one get
    /// an entry each after this one. Not kept.
    pub write: Option<usize>,
}

/// A row that a deletion takes along, or whose reference to what is deleted it clears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Along {
    /// `ordering.Order`
    pub resource: String,
    /// Of what tenants share.
    pub shared: bool,
    /// The row.
    pub row: u128,
    /// Members of the object of changes.
    pub changes: String,
}

/// Begins the member of a body that holds the changes. No text holds it: quotes are escaped there.
const CHANGES: &str = ",\"changes\":{";

impl Entry {
    /// The entry of the n-th row that went along with the one that this is about: by the same
    /// caller, rule and request. Its id is made of this one's, so that it is the same when a set is
    /// applied again.
    pub fn along(&self, at: usize, along: &Along) -> Self {
        let head = self.body.find(CHANGES).map_or("{", |end| &self.body[..end]);
        let comma = if head.len() > 1 { "," } else { "" };
        let mut body = format!("{head}{comma}\"along_with\":{{\"resource\":\"{}\"", self.resource);
        if let Some(row) = self.row {
            body.push_str(&format!(",\"row\":\"{}\"", uuid(row)));
        }
        body.push_str(&format!("}}{CHANGES}{}}}}}", along.changes));
        let digest = ring::digest::digest(
            &SHA256,
            &[self.id.to_be_bytes(), (at as u128).to_be_bytes()].concat(),
        );
        let mut drawn = [0; 8];
        drawn.copy_from_slice(&digest.as_ref()[..8]);
        let low = u128::from(u64::from_be_bytes(drawn) >> 2);
        Self {
            id: self.id >> 64 << 64 | 0b10 << 62 | low,
            shared: along.shared,
            resource: along.resource.clone(),
            row: Some(along.row),
            body,
            write: None,
            ..self.clone()
        }
    }
}

/// As it is written in JSON.
pub(crate) fn uuid(id: u128) -> String {
    let mut text = Vec::new();
    crate::json::write::value(&mut text, &ir::value::Value::Uuid(id));
    String::from_utf8_lossy(&text).trim_matches('"').to_owned()
}

/// An entry with its place in its chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The entry.
    pub entry: Entry,
    /// Counts the entries of the chain from 1, without gaps.
    pub number: i64,
    /// Hash of the entry before.
    pub previous: [u8; 32],
    /// Hash of this one.
    pub hash: [u8; 32],
}

/// A page of entries, newest first.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Only older ones than this.
    pub before: Option<u128>,
    /// Only of these resources.
    pub resources: Vec<String>,
    /// Only about this row.
    pub row: Option<u128>,
    /// Only of this subject.
    pub who: Option<String>,
    /// Only of this operation.
    pub operation: Option<String>,
    /// Microseconds since 1970: not before.
    pub since: Option<i64>,
    /// Microseconds since 1970: before.
    pub until: Option<i64>,
    /// Entries at most.
    pub rows_max: u32,
}

/// What a store remembers of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The tenant, or [`SHARED`].
    pub name: String,
    /// Number of the last entry.
    pub number: i64,
    /// Its hash.
    pub hash: [u8; 32],
    /// Number of the last entry that retention removed; 0 where none was.
    pub removed: i64,
    /// Its hash: what the first entry that is left was chained to.
    pub removed_hash: [u8; 32],
}

impl Chain {
    /// A chain without entries.
    pub fn new(name: &str) -> Self {
        let (name, hash) = (name.to_owned(), GENESIS);
        Self { name, number: 0, hash, removed: 0, removed_hash: GENESIS }
    }
}

/// The hash of an entry as number n of a chain.
pub fn hash(previous: &[u8; 32], chain: &str, number: i64, entry: &Entry) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    let mut part = |bytes: &[u8]| {
        // Texts are shorter than a gigabyte: a body of a request bounds them.
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        context.update(&length.to_be_bytes());
        context.update(bytes);
    };
    part(previous);
    part(chain.as_bytes());
    part(&number.to_be_bytes());
    part(&entry.id.to_be_bytes());
    part(&entry.time.to_be_bytes());
    part(entry.who.as_bytes());
    part(entry.operation.as_bytes());
    part(entry.resource.as_bytes());
    match entry.row {
        Some(row) => part(&row.to_be_bytes()),
        None => part(&[]),
    }
    part(entry.body.as_bytes());
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// A place in a chain that somebody noted: `acme:1204:9f3c…`, the chain of no tenant as `:12:0a…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The chain.
    pub chain: String,
    /// Number of the entry.
    pub number: i64,
    /// Its hash.
    pub hash: [u8; 32],
}

impl Head {
    /// Reads it as it is printed; none where it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let (rest, digits) = text.rsplit_once(':')?;
        let (chain, number) = rest.rsplit_once(':')?;
        let hash = digits.as_bytes();
        if hash.len() != 64 {
            return None;
        }
        let bytes = hash.chunks(2).map(|two| {
            std::str::from_utf8(two).ok().and_then(|two| u8::from_str_radix(two, 16).ok())
        });
        let hash = bytes.collect::<Option<Vec<u8>>>()?.try_into().ok()?;
        Some(Self { chain: chain.to_owned(), number: number.parse().ok()?, hash })
    }
}

impl std::fmt::Display for Head {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "{}:{}:", self.chain, self.number)?;
        self.hash.iter().try_for_each(|byte| write!(to, "{byte:02x}"))
    }
}

/// What a walk along a chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// File or database that holds the chain.
    pub place: String,
    /// The end of the chain, as it was found.
    pub head: Head,
    /// Entries that are there.
    pub entries: u64,
    /// Entries that retention removed before them.
    pub removed: i64,
    /// The first place where it is not what it was: number of the entry, and what is wrong.
    pub broken: Option<(i64, String)>,
}

/// Walks along a chain, entry after entry in the order of their numbers.
#[derive(Debug)]
pub struct Walk {
    chain: Chain,
    number: i64,
    hash: [u8; 32],
    entries: u64,
    broken: Option<(i64, String)>,
    noted: Vec<Head>,
}

impl Walk {
    /// Begins where retention ended. `noted` are heads that must be found on the way.
    pub fn new(chain: Chain, noted: &[Head]) -> Self {
        let (number, hash) = (chain.removed, chain.removed_hash);
        let noted = noted.iter().filter(|head| head.chain == chain.name).cloned().collect();
        let broken = (number < 0 || number > chain.number)
            .then(|| (number, "the beginning that is remembered lies behind the end".to_owned()));
        let mut walk = Self { chain, number, hash, entries: 0, broken, noted };
        walk.compare();
        walk
    }

    /// The next entry.
    pub fn step(&mut self, kept: &Kept) {
        self.entries += 1;
        let expected = self.number + 1;
        if self.broken.is_none() {
            self.broken = self.fault(kept, expected);
        }
        (self.number, self.hash) = (kept.number, kept.hash);
        self.compare();
    }

    fn fault(&self, kept: &Kept, expected: i64) -> Option<(i64, String)> {
        if kept.number != expected {
            return Some((expected, format!("it is missing: number {} follows", kept.number)));
        }
        if kept.previous != self.hash {
            let why = "it does not follow the entry before: one was changed, added or taken away";
            return Some((expected, why.to_owned()));
        }
        let hash = hash(&kept.previous, &self.chain.name, kept.number, &kept.entry);
        (hash != kept.hash).then(|| (expected, "it was changed".to_owned()))
    }

    /// A noted head that is reached has to be the same.
    fn compare(&mut self) {
        let (number, hash) = (self.number, self.hash);
        let mut other = false;
        self.noted.retain(|head| {
            other |= head.number == number && head.hash != hash;
            head.number != number
        });
        if other && self.broken.is_none() {
            self.broken = Some((number, "it is not the one that was noted".to_owned()));
        }
    }

    /// What was found, once all entries have been shown.
    pub fn end(mut self, place: &str) -> Verdict {
        let chain = &self.chain;
        if self.broken.is_none() && (self.number != chain.number || self.hash != chain.hash) {
            let why = format!("the chain ends there, and its head is number {}", chain.number);
            self.broken = Some((self.number, why));
        }
        // Those before the beginning can't be looked for any more.
        let noted = self.noted.iter().find(|head| head.number > chain.removed);
        if let (None, Some(head)) = (&self.broken, noted) {
            let why = format!("the chain ends there, and number {} was noted", head.number);
            self.broken = Some((self.number, why));
        }
        Verdict {
            place: place.to_owned(),
            head: Head { chain: self.chain.name, number: self.number, hash: self.hash },
            entries: self.entries,
            removed: self.chain.removed,
            broken: self.broken,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(n: i64) -> Entry {
        Entry {
            id: n as u128,
            shared: false,
            time: n * 1_000,
            who: "alice".to_owned(),
            operation: "createOrder".to_owned(),
            resource: "ordering.Order".to_owned(),
            row: (n % 2 == 0).then_some(7),
            body: format!("{{\"n\":{n}}}"),
            write: None,
        }
    }

    fn chain(entries: i64) -> (Chain, Vec<Kept>) {
        let (mut chain, mut all) = (Chain::new("acme"), Vec::new());
        for number in 1..=entries {
            let (entry, previous) = (entry(number), chain.hash);
            let hash = hash(&previous, "acme", number, &entry);
            (chain.number, chain.hash) = (number, hash);
            all.push(Kept { entry, number, previous, hash });
        }
        (chain, all)
    }

    fn broken(chain: &Chain, all: &[Kept], noted: &[Head]) -> Option<i64> {
        let mut walk = Walk::new(chain.clone(), noted);
        all.iter().for_each(|kept| walk.step(kept));
        walk.end("here").broken.map(|(number, _)| number)
    }

    #[test]
    fn whatever_is_changed_is_found_where_it_was_changed() {
        let (chain, all) = chain(5);
        assert_eq!(broken(&chain, &all, &[]), None);
        let with = |at: usize, change: fn(&mut Kept)| {
            let mut all = all.clone();
            change(&mut all[at]);
            broken(&chain, &all, &[])
        };
        assert_eq!(with(1, |kept| kept.entry.who = "mallory".to_owned()), Some(2));
        assert_eq!(with(2, |kept| kept.entry.body.push(' ')), Some(3));
        assert_eq!(with(3, |kept| kept.entry.row = None), Some(4));
        assert_eq!(with(0, |kept| kept.entry.time += 1), Some(1));
        assert_eq!(with(4, |kept| kept.hash = GENESIS), Some(5));
        let without = |at: usize| {
            let mut all = all.clone();
            all.remove(at);
            broken(&chain, &all, &[])
        };
        assert_eq!(without(2), Some(3), "one is missing");
        assert_eq!(without(4), Some(4), "the head tells");
    }

    #[test]
    fn what_retention_removed_leaves_the_rest_whole() {
        let (mut chain, all) = chain(5);
        (chain.removed, chain.removed_hash) = (2, all[1].hash);
        assert_eq!(broken(&chain, &all[2..], &[]), None);
        assert_eq!(broken(&chain, &all[3..], &[]), Some(3));
    }

    #[test]
    fn who_noted_a_head_notices_that_the_end_was_cut_off() {
        let (_, all) = chain(5);
        let (short, kept) = chain(3);
        let noted = |at: usize| Head {
            chain: "acme".to_owned(),
            number: all[at].number,
            hash: all[at].hash,
        };
        assert_eq!(broken(&short, &kept, &[]), None, "nobody can tell without it");
        assert_eq!(broken(&short, &kept, &[noted(2)]), None);
        assert_eq!(broken(&short, &kept, &[noted(4)]), Some(3));
        let other = Head { hash: GENESIS, ..noted(1) };
        assert_eq!(broken(&short, &kept, &[other]), Some(2));
        let text = noted(4).to_string();
        assert_eq!(Head::parse(&text), Some(noted(4)), "{text}");
        assert_eq!(Head::parse("acme:4:ff"), None);
    }
}
