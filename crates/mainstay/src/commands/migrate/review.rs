//! The files that are reviewed: numbered SQL beside the model, one for all databases that need the
//! same.

use super::shown;
use super::way::{Tables, Way};
use crate::failure::{Failure, Outcome};
use formats::sql::migration::{Dialect, write_migration};
use ir::migration::{Run, ScriptStep};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where the files are, beside the model.
const DIRECTORY: &str = "migrations";

/// Writes a file for each distinct way.
pub(super) fn write(home: &Path, ways: &mut [Way]) -> Outcome<()> {
    let mut written: BTreeMap<String, PathBuf> = BTreeMap::new();
    for way in ways.iter_mut().filter(|way| !way.report.steps.is_empty()) {
        let (named, dialect) = match way.tables {
            Tables::Sqlite { .. } => ("SQLite", Dialect::Sqlite),
            Tables::Postgresql(_) => {
                ("PostgreSQL", Dialect::Postgresql(&formats::sql::postgresql_name))
            }
        };
        let title = format!("Migration {} of service `{}`, {named}", way.next, way.service_name);
        let text = shown(&write_migration(&title, &way.report.steps, dialect));
        let path = match written.get(&text) {
            Some(path) => path.clone(),
            None => {
                let taken = |path: &PathBuf| written.values().any(|other| other == path);
                let mut names = (1..).map(|number| path(home, way, number));
                let path = names.find(|path| !taken(path)).expect("names do not end");
                save(&path, &text)?;
                written.insert(text, path.clone());
                path
            }
        };
        way.report.file = Some(path);
    }
    Ok(())
}

/// `migrations/0001_shop.sqlite.sql`, `migrations/0001_shop_tenants.sqlite.sql`
fn path(home: &Path, way: &Way, number: u32) -> PathBuf {
    let of = if way.base.tenant.is_some() { "_tenants" } else { "" };
    let again = if number > 1 { format!("_{number}") } else { String::new() };
    let word = way.tables.word();
    let name = format!("{:04}_{}{of}{again}.{word}.sql", way.next, way.service_name);
    home.join(DIRECTORY).join(name)
}

fn save(path: &Path, text: &str) -> Outcome<()> {
    let failed = |cause: std::io::Error| {
        Failure::new(format!("can't write `{}`", path.display())).caused_by(cause)
    };
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(failed)?;
    }
    std::fs::write(path, text).map_err(failed)
}

/// What is carried out was written for review: a step that no file of that service has is told.
/// Where nothing was ever written, nothing is compared.
pub(super) fn check(home: &Path, ways: &mut [Way]) -> Outcome<()> {
    let directory = home.join(DIRECTORY);
    let Ok(entries) = std::fs::read_dir(&directory) else { return Ok(()) };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for way in ways {
        let (own, end) = (format!("_{}", way.service_name), format!(".{}.sql", way.tables.word()));
        let ours = |path: &&PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let (number, rest) = name.split_at_checked(4).unwrap_or_default();
            // A migration that was broken off stands in the file of its first step.
            let number: u64 = number.parse().unwrap_or_default();
            let in_time = if way.resumed { number <= way.next } else { number == way.next };
            rest.starts_with(&own) && rest.ends_with(&end) && in_time
        };
        let mut reviewed = String::new();
        for path in paths.iter().filter(ours) {
            reviewed.push_str(&std::fs::read_to_string(path).unwrap_or_default());
        }
        if reviewed.is_empty() {
            continue;
        }
        let (steps, problems) = (&way.report.steps, &mut way.report.problems);
        for step in steps.iter().filter(|step| !has(&reviewed, step)) {
            problems.push(format!(
                "`{}` is not in the file that was reviewed: + {}; plan again with `mainstay \
                 migrate plan`",
                step.name,
                first(step)
            ));
        }
    }
    Ok(())
}

fn has(reviewed: &str, step: &ScriptStep) -> bool {
    step.run.iter().flat_map(Run::statements).all(|text| reviewed.contains(&shown(text)))
}

fn first(step: &ScriptStep) -> String {
    let text = step.run.iter().flat_map(Run::statements).next().unwrap_or_default();
    shown(text).split_whitespace().collect::<Vec<_>>().join(" ")
}
