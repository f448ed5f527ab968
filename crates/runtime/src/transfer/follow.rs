//! Data that goes on changing where it is read: copied, followed in rounds of what changed since,
//! proven, and followed again until a round is short enough to be the last, while nobody writes.
//!
//! The proof is additive. A round takes from the sums of both sides what it reads at the target of
//! the rows that changed, writes them, reads them again, and adds the rows of the source to the one
//! sum and those that it read to the other. Once, after the copy and the first rounds, the sum of
//! the target is that of all rows as they are read there. From then on each sum goes on being that
//! of its own side, and they are compared after every round.

use super::{Counted, Sums, prove};
use crate::ports::transfer::{
    BATCH_ROWS_MAX, Batch, Changing, Holds, Key, Keys, Line, Plain, Reading, Scope, Sheets,
    Transfer, TransferError, Transferred, Watching, Writing,
};
use std::collections::BTreeSet;

/// What has been done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Followed {
    /// So many rows were copied.
    Copied(u64),
    /// So many rows were read again where they were written.
    Proven(u64),
    /// So many changed rows of this round were looked at.
    Changed(u64),
}

/// Told as it is done; an error ends it.
pub type Goes<'a> = &'a dyn Fn(Followed) -> Transferred<()>;

/// A target that follows a source; dropped before [`Follow::finish`] it stays marked, and the
/// source is as it was.
pub struct Follow<'a> {
    watching: Box<dyn Watching + 'a>,
    writing: Box<dyn Writing + 'a>,
    sheets: &'a Sheets,
    here: Sums,
    there: Sums,
    /// Whether rows were kept is not known.
    lost: bool,
}

impl<'a> Follow<'a> {
    /// Copies what is there now. With `replace` what is at the target goes first.
    ///
    /// # Errors
    /// What went wrong, in words, or what `goes` answers.
    pub fn begin(
        from: &'a dyn Transfer,
        to: &'a dyn Transfer,
        replace: bool,
        goes: Goes<'_>,
    ) -> Transferred<Self> {
        let sheets = from.sheets();
        let differences = sheets.differences(to.sheets());
        if !differences.is_empty() || sheets != to.sheets() {
            return Err(TransferError::Differs(differences));
        }
        let mut writing = to.write(&Scope::Whole, replace)?;
        let watching = from.watch()?;
        for tenant in from.tenants()? {
            to.provision(&tenant)?;
            goes(Followed::Copied(0))?;
        }
        let here = {
            let put = &mut |batch: &Batch| writing.put(batch);
            added(sheets, &mut *watching.read()?, put, &|rows| goes(Followed::Copied(rows)))?
        };
        writing.keep()?;
        let there = here.clone();
        Ok(Self { watching, writing, sheets, here, there, lost: false })
    }

    /// Writes what changed since it was last looked at; how many rows that were. Where nobody
    /// wrote meanwhile, both sides are equal then, which is proven.
    ///
    /// # Errors
    /// What went wrong, in words, or what `goes` answers: then some places may have followed
    /// further than others, and another round may be made.
    pub fn round(&mut self, goes: Goes<'_>) -> Transferred<u64> {
        if self.lost {
            return Err(TransferError::failed("whether the last rows were written is not known"));
        }
        let mut count = 0;
        let Self { watching, writing, sheets, here, there, lost } = self;
        watching.begin()?;
        while let Some(changing) = watching.next()? {
            let mut step = Step {
                sheets,
                writing: &mut **writing,
                here: here.clone(),
                there: there.clone(),
                count,
                goes,
            };
            if let Err(why) = step.take(&*changing) {
                writing.undo();
                return Err(why);
            }
            *lost = true;
            step.writing.keep()?;
            *lost = false;
            (*here, *there, count) = (step.here, step.there, step.count);
            changing.taken();
        }
        prove(&self.here.filled(), &self.there.filled())?;
        Ok(count)
    }

    /// Reads all that was written, and proves it.
    ///
    /// # Errors
    /// What went wrong, in words, or what `goes` answers.
    pub fn prove(&mut self, goes: Goes<'_>) -> Transferred<()> {
        let Some(mut reading) = self.writing.written()? else {
            let why = "what is written there can't be read again by this login: no proof";
            return Err(TransferError::failed(why));
        };
        let read = &mut |_: &Batch| Ok(());
        let read = added(self.sheets, &mut *reading, read, &|rows| goes(Followed::Proven(rows)))?;
        drop(reading);
        self.there = read;
        prove(&self.here.filled(), &self.there.filled())
    }

    /// Nobody writes any more: others than the stores are refused.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub fn seal(&mut self) -> Transferred<()> {
        self.watching.seal()
    }

    /// What both sides hold.
    pub fn proof(&self) -> Vec<Counted> {
        self.there.filled()
    }

    /// The source is left to itself; the target is served from now on.
    ///
    /// # Errors
    /// What went wrong, in words: then the target is still marked.
    pub fn finish(self) -> Transferred<()> {
        self.watching.leave();
        self.writing.finish()
    }
}

/// The sums of rows that are read, each given on.
fn added(
    sheets: &Sheets,
    reading: &mut dyn Reading,
    take: &mut dyn FnMut(&Batch) -> Transferred<()>,
    goes: &dyn Fn(u64) -> Transferred<()>,
) -> Transferred<Sums> {
    let (mut sums, mut rows) = (Sums::new(sheets), 0);
    while let Some(batch) = reading.next()? {
        sums.add(sheets, &batch);
        rows += batch.lines.len() as u64;
        take(&batch)?;
        goes(rows)?;
    }
    Ok(sums)
}

/// The changes of one place as they are written.
struct Step<'s> {
    sheets: &'s Sheets,
    writing: &'s mut dyn Writing,
    here: Sums,
    there: Sums,
    count: u64,
    goes: Goes<'s>,
}

impl Step<'_> {
    /// Rows of the model all go before any comes, so that none is in the way of another. Of
    /// Mainstay's own those come first that others hang on, and give way; what is gone goes last.
    fn take(&mut self, changing: &dyn Changing) -> Transferred<()> {
        let (sheets, mut all) = (self.sheets, changing.keys().to_vec());
        let is_rows = |keys: &Keys| matches!(sheets.all[keys.sheet].holds, Holds::Rows { .. });
        // Those of a tenant go together; what a store counts keeps its order.
        let of_rows = all.iter_mut().filter(|keys| is_rows(keys));
        of_rows.for_each(|keys| keys.all.sort_unstable());
        let (rows, system): (Vec<&Keys>, Vec<&Keys>) = all.iter().partition(|keys| is_rows(keys));
        for keys in &rows {
            self.chunks(keys, |step, chunk| {
                step.before(chunk)?;
                step.writing.remove(chunk)
            })?;
        }
        for keys in &rows {
            self.chunks(keys, |step, chunk| step.put(changing, chunk).map(|_| ()))?;
        }
        let mut gone = Vec::new();
        for keys in &system {
            self.chunks(keys, |step, chunk| {
                step.before(chunk)?;
                let lines = step.put(changing, chunk)?;
                gone.extend(step.gone(chunk, &lines));
                Ok(())
            })?;
        }
        for keys in &gone {
            self.writing.remove(keys)?;
        }
        for keys in &all {
            self.chunks(keys, Self::after)?;
        }
        Ok(())
    }

    fn chunks(
        &mut self,
        keys: &Keys,
        mut run: impl FnMut(&mut Self, &Keys) -> Transferred<()>,
    ) -> Transferred<()> {
        for chunk in keys.all.chunks(BATCH_ROWS_MAX) {
            run(self, &Keys { sheet: keys.sheet, all: chunk.to_vec() })?;
            (self.goes)(Followed::Changed(self.count))?;
        }
        Ok(())
    }

    /// What is there of rows that are written next is not there any more.
    fn before(&mut self, keys: &Keys) -> Transferred<()> {
        let found = self.writing.found(keys)?;
        self.here.take(self.sheets, keys.sheet, &found);
        self.there.take(self.sheets, keys.sheet, &found);
        Ok(())
    }

    fn put(&mut self, changing: &dyn Changing, keys: &Keys) -> Transferred<Vec<Line>> {
        let batch = Batch { sheet: keys.sheet, lines: changing.lines(keys.sheet, &keys.all)? };
        self.here.add(self.sheets, &batch);
        self.count += keys.all.len() as u64;
        if !batch.lines.is_empty() {
            self.writing.put(&batch)?;
        }
        Ok(batch.lines)
    }

    /// Keys of rows that are nobody's any more. What a place has of itself never goes.
    fn gone(&self, keys: &Keys, lines: &[Line]) -> Option<Keys> {
        let sheet = &self.sheets.all[keys.sheet];
        if super::is_partial(self.sheets, keys.sheet) {
            return None;
        }
        let at = sheet.columns.iter().position(|(name, _)| name == sheet.key())?;
        let there: BTreeSet<&Plain> = lines.iter().map(|line| &line.cells[at]).collect();
        let gone = keys.all.iter().filter(|key| !there.contains(&key.cell));
        let all: Vec<Key> = gone.cloned().collect();
        (!all.is_empty()).then_some(Keys { sheet: keys.sheet, all })
    }

    fn after(&mut self, keys: &Keys) -> Transferred<()> {
        let lines = self.writing.found(keys)?;
        self.there.add(self.sheets, &Batch { sheet: keys.sheet, lines });
        Ok(())
    }
}
