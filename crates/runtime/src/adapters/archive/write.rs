//! Writes the files of a backup, all of them open until the end; the manifest comes last.

use super::{Archive, FORMAT, LEVEL, MANIFEST, checksum, io, line, told};
use crate::ports::transfer::{Batch, Holds, Reading, Scope, Transferred, Writing};
use crate::private;
use crate::transfer::Sums;
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;

/// Rows that go into files.
pub(super) struct ArchiveWriting<'a> {
    into: &'a Archive,
    scope: Scope,
    files: Vec<Table>,
    tenants: BTreeSet<Arc<str>>,
    sums: Sums,
}

/// The file of a table.
struct Table {
    name: String,
    path: PathBuf,
    rows: u64,
    out: zstd::Encoder<'static, BufWriter<File>>,
}

impl<'a> ArchiveWriting<'a> {
    pub(super) fn new(into: &'a Archive, scope: &Scope) -> Transferred<Self> {
        let mut files = Vec::new();
        for sheet in &into.sheets.all {
            let name = format!("{}.jsonl.zst", sheet.name);
            let path = into.path.join(&name);
            let file = private::create_new(&path).map_err(io(&path))?;
            let out = zstd::Encoder::new(BufWriter::new(file), LEVEL).map_err(io(&path))?;
            files.push(Table { name, path, rows: 0, out });
        }
        let (scope, sums) = (scope.clone(), Sums::new(&into.sheets));
        Ok(Self { into, scope, files, tenants: BTreeSet::new(), sums })
    }
}

impl Writing for ArchiveWriting<'_> {
    fn put(&mut self, batch: &Batch) -> Transferred<()> {
        let sheet = &self.into.sheets.all[batch.sheet];
        let file = &mut self.files[batch.sheet];
        for row in &batch.lines {
            if let (Some(tenant), Holds::Rows { .. }) = (&row.tenant, sheet.holds) {
                self.tenants.insert(Arc::clone(tenant));
            }
            let mut text = line::write(sheet, row);
            text.push('\n');
            file.out.write_all(text.as_bytes()).map_err(io(&file.path))?;
            file.rows += 1;
        }
        self.sums.add(&self.into.sheets, batch);
        Ok(())
    }

    fn written(&mut self) -> Transferred<Option<Box<dyn Reading + '_>>> {
        Ok(None)
    }

    fn finish(self: Box<Self>) -> Transferred<()> {
        let Self { into, scope, files, tenants, sums } = *self;
        let sums = sums.filled();
        let mut tables: Vec<Json> = Vec::new();
        for (sheet, Table { name, path, rows, out }) in into.sheets.all.iter().zip(files) {
            let buffered = out.finish().map_err(io(&path))?;
            let file = buffered.into_inner().map_err(|error| io(&path)(error.into_error()))?;
            file.sync_all().map_err(io(&path))?;
            let (bytes, sha256) = checksum(&path)?;
            let column = |(name, form): &(String, _)| json!({ "name": name, "form": told(*form) });
            let digest = sums.iter().find(|one| one.table == sheet.name);
            tables.push(json!({
                "table": sheet.name,
                "file": name,
                "rows": rows,
                "digest": digest.map(|one| one.sum.hex()),
                "bytes": bytes,
                "sha256": sha256,
                "shared": matches!(sheet.holds, Holds::Rows { shared: true, .. }),
                "columns": sheet.columns.iter().map(column).collect::<Vec<_>>(),
            }));
        }
        let tenant = match &scope {
            Scope::Whole => None,
            Scope::Tenant(tenant) => Some(tenant.to_string()),
        };
        let tenants: Vec<String> = tenants.iter().map(ToString::to_string).collect();
        let manifest = json!({
            "mainstay": "rows",
            "format": FORMAT,
            "system": into.sheets.system,
            "taken": into.taken,
            "tenant": tenant,
            "tenants": tenants,
            "tables": tables,
        });
        let path = into.path.join(MANIFEST);
        let mut file = private::create_new(&path).map_err(io(&path))?;
        file.write_all(format!("{manifest:#}\n").as_bytes()).map_err(io(&path))?;
        file.sync_all().map_err(io(&path))?;
        File::open(&into.path).and_then(|it| it.sync_all()).map_err(io(&into.path))
    }
}
