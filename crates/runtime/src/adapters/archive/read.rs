//! Reads the files of a backup as a store gives its rows: what is shared, tenant after tenant,
//! Mainstay's own. Rows of a tenant follow each other in every file, so that all files are open at
//! once and each is read once.

use super::{Archive, LINE_BYTES_MAX, io, line};
use crate::ports::transfer::{
    BATCH_ROWS_MAX, Batch, Holds, Line, Reading, Scope, Sheet, TransferError, Transferred,
};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::sync::Arc;

/// Rows that come out of files.
pub(super) struct ArchiveReading<'a> {
    from: &'a Archive,
    tables: Vec<Table>,
    steps: VecDeque<Step>,
}

/// Which rows come next.
struct Step {
    sheet: usize,
    of: Of,
}

/// Whose.
enum Of {
    All,
    One(Arc<str>),
}

struct Table {
    path: PathBuf,
    rows: BufReader<zstd::Decoder<'static, BufReader<File>>>,
    peeked: Option<Line>,
    number: u64,
}

impl<'a> ArchiveReading<'a> {
    pub(super) fn new(from: &'a Archive, scope: &Scope) -> Transferred<Self> {
        let mut tables = Vec::new();
        for entry in &from.files {
            let path = from.path.join(&entry.file);
            let file = File::open(&path).map_err(io(&path))?;
            let rows = BufReader::new(zstd::Decoder::new(file).map_err(io(&path))?);
            tables.push(Table { path, rows, peeked: None, number: 0 });
        }
        let sheets = || from.sheets.all.iter().enumerate();
        let is_shared = |sheet: &Sheet| matches!(sheet.holds, Holds::Rows { shared: true, .. });
        let is_own = |sheet: &Sheet| matches!(sheet.holds, Holds::Rows { shared: false, .. });
        let mut steps = VecDeque::new();
        let one = match scope {
            Scope::Whole => {
                let shared = sheets().filter(|(_, sheet)| is_shared(sheet));
                steps.extend(shared.map(|(sheet, _)| Step { sheet, of: Of::All }));
                None
            }
            Scope::Tenant(tenant) => Some(tenant),
        };
        for tenant in from.tenants.iter().filter(|name| one.is_none_or(|one| one == *name)) {
            let own = sheets().filter(|(_, sheet)| is_own(sheet));
            steps.extend(own.map(|(sheet, _)| Step { sheet, of: Of::One(Arc::clone(tenant)) }));
        }
        let system = sheets().filter(|(_, sheet)| matches!(sheet.holds, Holds::System(_)));
        let of = || one.map_or(Of::All, |tenant| Of::One(Arc::clone(tenant)));
        steps.extend(system.map(|(sheet, _)| Step { sheet, of: of() }));
        Ok(Self { from, tables, steps })
    }
}

impl Table {
    fn next(&mut self, sheet: &Sheet) -> Transferred<Option<Line>> {
        if let Some(line) = self.peeked.take() {
            return Ok(Some(line));
        }
        let mut text = Vec::new();
        let max = LINE_BYTES_MAX as u64;
        let read = (&mut self.rows).take(max).read_until(b'\n', &mut text);
        if read.map_err(io(&self.path))? == 0 {
            return Ok(None);
        }
        self.number += 1;
        let wrong = || {
            let (path, number) = (self.path.display(), self.number);
            TransferError::Failed(format!("`{path}`: line {number} is no row of the table"))
        };
        line::read(sheet, &text).map(Some).ok_or_else(wrong)
    }
}

impl Reading for ArchiveReading<'_> {
    fn next(&mut self) -> Transferred<Option<Batch>> {
        while let Some(step) = self.steps.pop_front() {
            let sheet = &self.from.sheets.all[step.sheet];
            let system = matches!(sheet.holds, Holds::System(_));
            let table = &mut self.tables[step.sheet];
            let mut lines = Vec::new();
            let mut more = false;
            while let Some(line) = table.next(sheet)? {
                match &step.of {
                    Of::One(tenant) if line.tenant.as_ref() != Some(tenant) => {
                        let (own, behind) = (Some(&**tenant), line.tenant.as_deref());
                        // Rows of Mainstay's own tables are in their own order.
                        if system || behind < own {
                            continue;
                        }
                        table.peeked = Some(line);
                        break;
                    }
                    Of::All | Of::One(_) => lines.push(line),
                }
                more = lines.len() >= BATCH_ROWS_MAX;
                if more {
                    break;
                }
            }
            let at = step.sheet;
            if more {
                self.steps.push_front(step);
            }
            if !lines.is_empty() {
                return Ok(Some(Batch { sheet: at, lines }));
            }
        }
        Ok(None)
    }
}
