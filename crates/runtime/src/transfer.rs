//! Data from one place to another, whatever they are, with a proof of equal rows.

use crate::ports::transfer::{
    Batch, Form, Holds, Line, Plain, Reading, SYSTEM, Scope, Sheets, Transfer, TransferError,
    Transferred,
};
use ring::digest::{Digest, SHA256, digest};

mod follow;

pub use follow::{Follow, Followed, Goes};

/// What is known of the rows of a table: equal on both sides where the rows are, in any order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sum {
    /// How many.
    pub rows: u64,
    /// The sum of the SHA-256 of each, as numbers of 256 bits.
    digest: [u8; 32],
}

impl Sum {
    /// Adds a row.
    pub fn add(&mut self, line: &Line) {
        let mut carry = 0;
        for (sum, byte) in self.digest.iter_mut().zip(number(line).as_ref()).rev() {
            let both = u16::from(*sum) + u16::from(*byte) + carry;
            *sum = both.to_be_bytes()[1];
            carry = both >> 8;
        }
        self.rows += 1;
    }

    /// Takes a row away that was added.
    pub fn take(&mut self, line: &Line) {
        let mut borrowed = false;
        for (sum, byte) in self.digest.iter_mut().zip(number(line).as_ref()).rev() {
            let (left, below) = sum.overflowing_sub(*byte);
            let (left, again) = left.overflowing_sub(u8::from(borrowed));
            (*sum, borrowed) = (left, below || again);
        }
        self.rows = self.rows.wrapping_sub(1);
    }

    /// What [`Sum::hex`] said of so many rows; none where that is not what it says.
    pub fn of_hex(rows: u64, hex: &str) -> Option<Self> {
        let byte = |two: &[u8]| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok();
        let digest: Option<Vec<u8>> = hex.as_bytes().chunks(2).map(byte).collect();
        Some(Self { rows, digest: digest?.try_into().ok()? })
    }

    /// In hex digits.
    pub fn hex(&self) -> String {
        self.digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The SHA-256 of a row.
fn number(line: &Line) -> Digest {
    let mut text = Vec::new();
    match &line.tenant {
        Some(tenant) => canonical(&Plain::Text(tenant.to_string()), &mut text),
        None => canonical(&Plain::Null, &mut text),
    }
    line.cells.iter().for_each(|cell| canonical(cell, &mut text));
    digest(&SHA256, &text)
}

/// A cell so that no two rows have the same bytes: its kind, its length, its content.
fn canonical(cell: &Plain, out: &mut Vec<u8>) {
    let (kind, bytes): (u8, &[u8]) = match cell {
        Plain::Null => (0, &[]),
        Plain::Int(n) => {
            out.push(1);
            return out.extend_from_slice(&n.to_be_bytes());
        }
        Plain::Text(text) => (2, text.as_bytes()),
        Plain::Bytes(bytes) => (3, bytes),
    };
    out.push(kind);
    out.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// What a table holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// `ordering_orders`
    pub table: String,
    /// Its rows.
    pub sum: Sum,
}

/// The sums of all tables, as they are added up.
#[derive(Debug, Clone)]
pub struct Sums {
    all: Vec<Counted>,
}

impl Sums {
    /// Of no rows.
    pub fn new(sheets: &Sheets) -> Self {
        let empty = |name: &String| Counted { table: name.clone(), sum: Sum::default() };
        Self { all: sheets.all.iter().map(|sheet| empty(&sheet.name)).collect() }
    }

    /// Adds rows. What a place has of itself is left out: it is not of the data.
    pub fn add(&mut self, sheets: &Sheets, batch: &Batch) {
        if is_partial(sheets, batch.sheet) {
            return;
        }
        let sum = &mut self.all[batch.sheet].sum;
        batch.lines.iter().for_each(|line| sum.add(line));
    }

    /// Takes rows away that were added.
    pub fn take(&mut self, sheets: &Sheets, sheet: usize, lines: &[Line]) {
        if is_partial(sheets, sheet) {
            return;
        }
        let sum = &mut self.all[sheet].sum;
        lines.iter().for_each(|line| sum.take(line));
    }

    /// The tables that hold rows, by name.
    pub fn filled(&self) -> Vec<Counted> {
        let mut filled: Vec<_> = self.all.iter().filter(|one| one.sum.rows > 0).cloned().collect();
        filled.sort_by(|one, other| one.table.cmp(&other.table));
        filled
    }
}

/// What a place has of itself.
fn is_partial(sheets: &Sheets, sheet: usize) -> bool {
    matches!(sheets.all[sheet].holds, Holds::System(at) if !SYSTEM[at].only.is_empty())
}

/// Told while rows travel: how many have.
pub type Tell<'a> = &'a dyn Fn(u64);

/// The sums of what a place holds, read from one snapshot.
///
/// # Errors
/// What went wrong, in words.
pub fn sums(of: &dyn Transfer, scope: &Scope, tell: Tell<'_>) -> Transferred<Vec<Counted>> {
    added(of.sheets(), &mut *of.read(scope)?, tell)
}

fn added(sheets: &Sheets, reading: &mut dyn Reading, tell: Tell<'_>) -> Transferred<Vec<Counted>> {
    let (mut sums, mut rows) = (Sums::new(sheets), 0);
    while let Some(batch) = reading.next()? {
        sums.add(sheets, &batch);
        rows += batch.lines.len() as u64;
        tell(rows);
    }
    Ok(sums.filled())
}

/// Copies rows from one place to another and proves that those are there by reading them again,
/// before anybody can serve them: where the proof fails, the target stays marked. Only what
/// [`crate::ports::transfer::Writing::written`] can't read again is not proven.
///
/// # Errors
/// What went wrong, in words; [`TransferError::Differs`] where both sides have other tables.
pub fn copy(
    from: &dyn Transfer,
    to: &dyn Transfer,
    scope: &Scope,
    replace: bool,
    tell: Tell<'_>,
) -> Transferred<Vec<Counted>> {
    let (here, there) = (from.sheets(), to.sheets());
    let differences = here.differences(there);
    if !differences.is_empty() {
        return Err(TransferError::Differs(differences));
    }
    let names = here.all.iter().map(|sheet| there.position(&sheet.name));
    let names: Vec<usize> = names.map(Option::unwrap_or_default).collect();
    let orders: Vec<Option<Vec<usize>>> = here
        .all
        .iter()
        .zip(&names)
        .map(|(sheet, at)| order(&sheet.columns, &there.all[*at].columns))
        .collect();
    let (mut sums, mut rows) = (Sums::new(here), 0);
    let mut reading = from.read(scope)?;
    let mut writing = to.write(scope, replace)?;
    while let Some(batch) = reading.next()? {
        sums.add(here, &batch);
        rows += batch.lines.len() as u64;
        let mut lines = batch.lines;
        if let Some(order) = &orders[batch.sheet] {
            let sorted = |line: &mut Line| {
                line.cells = order.iter().map(|at| line.cells[*at].clone()).collect();
            };
            lines.iter_mut().for_each(sorted);
        }
        writing.put(&Batch { sheet: names[batch.sheet], lines })?;
        tell(rows);
    }
    let sums = sums.filled();
    if let Some(mut written) = writing.written()? {
        prove(&sums, &added(there, &mut *written, tell)?)?;
    }
    writing.finish()?;
    Ok(sums)
}

/// Where each column of the one is in the other; none where they are in the same order.
fn order(from: &[(String, Form)], to: &[(String, Form)]) -> Option<Vec<usize>> {
    if from == to {
        return None;
    }
    let at = |(name, _): &(String, Form)| from.iter().position(|(other, _)| other == name);
    to.iter().map(at).collect()
}

/// Refuses where two places do not hold equal rows, naming the tables.
///
/// # Errors
/// [`TransferError::Failed`] with the tables and the rows of each side.
pub fn prove(here: &[Counted], there: &[Counted]) -> Transferred<()> {
    let sum = |of: &[Counted], table: &str| {
        of.iter().find(|one| one.table == table).map(|one| one.sum).unwrap_or_default()
    };
    let mut tables: Vec<&str> = here.iter().chain(there).map(|one| one.table.as_str()).collect();
    tables.sort_unstable();
    tables.dedup();
    let differs = |table: &&&str| sum(here, table) != sum(there, table);
    let wrong: Vec<String> = tables
        .iter()
        .filter(differs)
        .map(|table| {
            let (one, other) = (sum(here, table), sum(there, table));
            format!("`{table}`: {} rows on one side, {} on the other", one.rows, other.rows)
        })
        .collect();
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(TransferError::Failed(format!("the rows differ: {}", wrong.join("; ")))),
    }
}
