//! Cells to and from the wire, each by the type that the server says a parameter or column has.
//!
//! Times travel as the integers they are; the server counts from 2000, we count from 1970.

use crate::adapters::sql::shape::{Cell, Stored};
use bytes::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type};

/// Microseconds from 1970 to 2000.
const EPOCH_MICROS: i64 = 946_684_800_000_000;
/// Days from 1970 to 2000.
const EPOCH_DAYS: i64 = 10_957;
/// The least and the greatest moment of the server, in its own count.
const MOMENTS: std::ops::Range<i64> = -211_813_488_000_000_000..9_223_371_331_200_000_000;

type Failure = Box<dyn std::error::Error + Sync + Send>;

/// A cell as a parameter.
#[derive(Debug)]
pub(super) struct Bound<'a>(pub(super) Cell<'a>);

impl ToSql for Bound<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        match &self.0 {
            Cell::Null => return Ok(IsNull::Yes),
            Cell::Text(text) => out.extend_from_slice(text.as_bytes()),
            Cell::Uuid(id) => out.extend_from_slice(id),
            Cell::Int(n) => integer(*n, kind, out)?,
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    tokio_postgres::types::to_sql_checked!();
}

fn integer(n: i64, kind: &Type, out: &mut BytesMut) -> Result<(), Failure> {
    match *kind {
        Type::INT8 | Type::TIME => out.extend_from_slice(&n.to_be_bytes()),
        Type::TIMESTAMPTZ => out.extend_from_slice(&moment(n).to_be_bytes()),
        Type::DATE => out.extend_from_slice(&i32::try_from(n - EPOCH_DAYS)?.to_be_bytes()),
        Type::BOOL => out.extend_from_slice(&[u8::from(n != 0)]),
        Type::INT4 => out.extend_from_slice(&i32::try_from(n)?.to_be_bytes()),
        Type::INT2 => out.extend_from_slice(&i16::try_from(n)?.to_be_bytes()),
        _ => return Err(format!("a whole number as {kind}").into()),
    }
    Ok(())
}

/// Beyond the server's reach lie its infinities: no row has them, so comparisons stay right.
fn moment(micros: i64) -> i64 {
    let micros = micros.saturating_sub(EPOCH_MICROS);
    if micros < MOMENTS.start {
        i64::MIN
    } else if micros >= MOMENTS.end {
        i64::MAX
    } else {
        micros
    }
}

/// Bytes as a parameter or column.
#[derive(Debug)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl ToSql for Bytes<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        out.extend_from_slice(self.0);
        Ok(IsNull::No)
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::BYTEA
    }

    tokio_postgres::types::to_sql_checked!();
}

/// Ids as one parameter.
#[derive(Debug)]
pub(super) struct Ids<'a>(pub(super) &'a [u128]);

impl ToSql for Ids<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        // One dimension, no nulls, elements of the type `uuid`, counted from 1.
        let count = i32::try_from(self.0.len())?;
        for word in [1, 0, i32::try_from(Type::UUID.oid())?, count, 1] {
            out.extend_from_slice(&word.to_be_bytes());
        }
        for id in self.0 {
            out.extend_from_slice(&16_i32.to_be_bytes());
            out.extend_from_slice(&id.to_be_bytes());
        }
        Ok(IsNull::No)
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::UUID_ARRAY
    }

    tokio_postgres::types::to_sql_checked!();
}

/// A column of a row.
pub(super) struct Column<'r>(pub(super) Stored<'r>);

impl<'r> FromSql<'r> for Column<'r> {
    fn from_sql(kind: &Type, raw: &'r [u8]) -> Result<Self, Failure> {
        Ok(Self(stored(kind.oid(), raw)))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Failure> {
        Ok(Self(Stored::Null))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// What lies in a column of a type.
pub(super) fn stored(kind: u32, raw: &[u8]) -> Stored<'_> {
    let long = || raw.try_into().map(i64::from_be_bytes).ok();
    let short = || raw.try_into().map(i32::from_be_bytes).map(i64::from).ok();
    let int = |n: Option<i64>| n.map_or(Stored::Foreign, Stored::Int);
    let is = |of: &Type| kind == of.oid();
    if is(&Type::INT8) || is(&Type::TIME) {
        int(long())
    } else if is(&Type::UUID) || is(&Type::BYTEA) || is(&Type::RECORD_ARRAY) {
        Stored::Bytes(raw)
    } else if is(&Type::TIMESTAMPTZ) {
        int(long().and_then(|micros| micros.checked_add(EPOCH_MICROS)))
    } else if is(&Type::DATE) {
        int(short().map(|days| days + EPOCH_DAYS))
    } else if is(&Type::BOOL) {
        int(raw.first().map(|yes| i64::from(*yes)))
    } else if is(&Type::TEXT) || is(&Type::BPCHAR) || is(&Type::JSON) || is(&Type::VARCHAR) {
        std::str::from_utf8(raw).map_or(Stored::Foreign, Stored::Text)
    } else if is(&Type::INT4) {
        int(short())
    } else {
        Stored::Foreign
    }
}

/// Reads an array of records: hands out the cells of each; how many there were.
pub(super) fn records<'r>(raw: &'r [u8], each: &mut dyn FnMut(&[Stored<'r>])) -> Option<usize> {
    let mut at = Reader(raw);
    let dimensions = at.int()?;
    at.int()?;
    at.int()?;
    if dimensions == 0 {
        return Some(0);
    }
    let count = at.int()?;
    at.int()?;
    let mut cells = Vec::new();
    for _ in 0..count {
        at.int()?;
        cells.clear();
        for _ in 0..at.int()? {
            let kind = u32::try_from(at.int()?).ok()?;
            cells.push(match usize::try_from(at.int()?) {
                Ok(size) => stored(kind, at.take(size)?),
                Err(_) => Stored::Null,
            });
        }
        each(&cells);
    }
    usize::try_from(count).ok()
}

struct Reader<'r>(&'r [u8]);

impl<'r> Reader<'r> {
    fn take(&mut self, size: usize) -> Option<&'r [u8]> {
        let (taken, rest) = self.0.split_at_checked(size)?;
        self.0 = rest;
        Some(taken)
    }

    fn int(&mut self) -> Option<i32> {
        self.take(4)?.try_into().ok().map(i32::from_be_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_beyond_the_servers_reach_is_an_infinity() {
        assert_eq!(moment(i64::MIN), i64::MIN);
        assert_eq!(moment(0), -EPOCH_MICROS);
        assert_eq!(moment(i64::MAX), i64::MAX - EPOCH_MICROS, "it still reaches that far");
    }
}
