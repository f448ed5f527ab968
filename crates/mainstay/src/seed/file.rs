//! Seed files beside a model: `seed/*.yaml`, in the order of their names.

use super::Row;
use crate::failure::{Failure, Outcome};
use crate::model_files;
use ir::Sources;
use ir::domain::{Domain, ResourceId};
use std::path::Path;

/// The rows of `seed/*.yaml` at `home`; none where there is no such file.
pub(crate) fn read(domain: &Domain, home: &Path) -> Outcome<Vec<Row>> {
    let folder = home.join("seed");
    let mut paths: Vec<_> = match std::fs::read_dir(&folder) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(_) => return Ok(Vec::new()),
    };
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    let (sources, mut faults) = model_files::texts(&paths)?;
    let (rows, found) = formats::seed::read(&sources);
    faults.extend(found);
    if ir::diagnostic::has_errors(&faults) {
        return Err(Failure::refused(sources, faults));
    }
    rows.into_iter().map(|row| resolved(domain, &sources, row)).collect()
}

fn resolved(domain: &Domain, sources: &Sources, row: formats::seed::Row) -> Outcome<Row> {
    let (line, _) = sources.line_column(row.name.span);
    let file = sources.files.get(row.name.span.file as usize).map_or("", |file| &file.path);
    let place = format!("{file}:{line}");
    let wrong = |what: String| Failure::new(format!("{place}: {what}"));
    let resource = find(domain, row.resource.as_str()).ok_or_else(|| {
        let known: Vec<&str> = domain.roots().map(|(_, resource)| resource.name.as_str()).collect();
        wrong(format!("there is no resource `{}`", row.resource))
            .hint(format!("write one of: {}", known.join(", ")))
    })?;
    match (&row.tenant, &domain.tenancy) {
        (None, Some(_)) => {
            return Err(wrong("the rows are no tenant's".to_owned())
                .hint("write `tenant: acme` as the first line of the file"));
        }
        (Some(_), None) => {
            return Err(wrong("the model has no tenants".to_owned()).hint("leave `tenant` out"));
        }
        (Some(_), Some(_)) | (None, None) => {}
    }
    let name = row.name.value;
    let (tenant, fields, then) = (row.tenant, row.fields, row.then);
    Ok(Row { tenant, resource, name, place, fields, then, may_fail: false })
}

/// A root by its name, with its context or without.
fn find(domain: &Domain, name: &str) -> Option<ResourceId> {
    let mut roots = domain.roots();
    roots.find(|(id, root)| root.name == name || domain.full_name(*id) == name).map(|(id, _)| id)
}
