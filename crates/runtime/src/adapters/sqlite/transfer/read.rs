//! Reads the files of a data directory, each in one snapshot. Those of services are held from the
//! beginning; one of a tenant is opened in its turn.

use super::{CURSOR_KEY, Spot, SqliteTransfer, at, io, plain};
use crate::adapters::sql::dialect::Sqlite;
use crate::adapters::sql::transfer::Place;
use crate::adapters::sqlite::layout::File;
use crate::adapters::sqlite::link::{Link, Role, begins_snapshot};
use crate::ports::transfer::{
    BATCH_ROWS_MAX, Batch, Holds, Line, Plain, Reading, SYSTEM, Scope, TransferError, Transferred,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

/// Rows that come out of files.
pub(super) struct SqliteReading<'a> {
    from: &'a SqliteTransfer,
    links: BTreeMap<Spot, Link>,
    steps: VecDeque<Step>,
    after: Option<Plain>,
    /// Keys that several files hold alike, where there are several services.
    seen: BTreeSet<Plain>,
    cursor_key: Option<Batch>,
}

/// A table that is to be read.
struct Step {
    spot: Spot,
    place: Place,
    /// Only its rows, where tenants share the table; whose it is, where they do not.
    tenant: Option<Arc<str>>,
}

impl<'a> SqliteReading<'a> {
    pub(super) fn new(from: &'a SqliteTransfer, scope: &Scope) -> Transferred<Self> {
        Self::of(from, scope, &from.spots()?)
    }

    /// Those of some files.
    pub(super) fn of(from: &'a SqliteTransfer, scope: &Scope, spots: &[Spot]) -> Transferred<Self> {
        let mut links = BTreeMap::new();
        for spot in spots {
            if !matches!(spot, Spot::Of(_, File::Tenant(_))) {
                links.insert(spot.clone(), snapshot(from, spot)?);
            }
        }
        let tenants: Vec<Arc<str>> = match scope {
            Scope::Tenant(tenant) => vec![Arc::clone(tenant)],
            Scope::Whole => {
                let mut tenants = BTreeSet::new();
                for (spot, link) in &links {
                    tenants.extend(from.tenants_in(spot, link)?);
                }
                for spot in spots {
                    if let Spot::Of(_, File::Tenant(tenant)) = spot {
                        tenants.insert(Arc::clone(tenant));
                    }
                }
                tenants.into_iter().collect()
            }
        };
        from.check_chains(spots, scope)?;
        let steps = steps(from, spots, &tenants, scope);
        let cursor_key = match scope {
            Scope::Whole => cursor_key(from)?,
            Scope::Tenant(_) => None,
        };
        Ok(Self { from, links, steps, after: None, seen: BTreeSet::new(), cursor_key })
    }

    fn page(&mut self, step: &Step) -> Transferred<Vec<(Plain, Line)>> {
        if !self.links.contains_key(&step.spot) {
            self.links.retain(|spot, _| !matches!(spot, Spot::Of(_, File::Tenant(_))));
            self.links.insert(step.spot.clone(), snapshot(self.from, &step.spot)?);
        }
        let path = self.from.path(&step.spot);
        let link = &self.links[&step.spot];
        let of_one = step.tenant.is_some() && step.place.tenant.is_some() && !is_own(&step.spot);
        let text = step.place.page(&Sqlite, of_one, self.after.is_some(), BATCH_ROWS_MAX);
        let tenant = step.tenant.as_ref().filter(|_| of_one);
        let tenant = tenant.map(|tenant| Plain::Text(tenant.to_string()));
        let mut statement = link.statement(&text).map_err(at(&path))?;
        let bound = tenant.iter().chain(&self.after);
        let mut rows = statement.query(rusqlite::params_from_iter(bound)).map_err(at(&path))?;
        let mut lines = Vec::new();
        while let Some(row) = rows.next().map_err(at(&path))? {
            lines.push(line(row, &step.place, step.tenant.as_ref(), &path)?);
        }
        Ok(lines)
    }
}

impl Reading for SqliteReading<'_> {
    fn next(&mut self) -> Transferred<Option<Batch>> {
        if let Some(batch) = self.cursor_key.take() {
            return Ok(Some(batch));
        }
        while let Some(step) = self.steps.pop_front() {
            let page = self.page(&step)?;
            self.after = page.last().map(|(key, _)| key.clone());
            let sheet = step.place.sheet;
            let several = self.from.services.len() > 1;
            let once = several
                && matches!(self.from.sheets.all[sheet].holds, Holds::System(at)
                if SYSTEM[at].alike);
            match page.len() < BATCH_ROWS_MAX {
                true => self.after = None,
                false => self.steps.push_front(step),
            }
            let new = |(key, line)| match once && !self.seen.insert(key) {
                true => None,
                false => Some(line),
            };
            let lines: Vec<Line> = page.into_iter().filter_map(new).collect();
            if !lines.is_empty() {
                return Ok(Some(Batch { sheet, lines }));
            }
        }
        Ok(None)
    }
}

/// The key of a row, and what travels of it.
pub(super) fn line(
    row: &rusqlite::Row<'_>,
    place: &Place,
    tenant: Option<&Arc<str>>,
    path: &Path,
) -> Transferred<(Plain, Line)> {
    let misshapen = || {
        let table = &place.table;
        TransferError::Failed(format!("`{}`: a value of {table} is no text", path.display()))
    };
    let cells = (0..place.width()).map(|at| plain(row, at));
    let mut cells = cells.collect::<Option<Vec<_>>>().ok_or_else(misshapen)?;
    let own = cells.split_off(2);
    let named = match cells.pop() {
        Some(Plain::Text(tenant)) => Some(Arc::from(tenant)),
        _ => None,
    };
    let tenant = named.or_else(|| tenant.cloned());
    let key = cells.pop().ok_or_else(misshapen)?;
    Ok((key, Line { tenant, cells: own }))
}

/// A file of a tenant's own.
fn is_own(spot: &Spot) -> bool {
    matches!(spot, Spot::Of(_, File::Tenant(_)))
}

/// The snapshot begins now, not with the first question.
fn snapshot(from: &SqliteTransfer, spot: &Spot) -> Transferred<Link> {
    let path = from.path(spot);
    if is_own(spot) {
        let link = from.link(spot, Role::Writer)?;
        super::system::extend(&link).map_err(at(&path))?;
    }
    let link = from.link(spot, Role::Reader)?;
    let begun =
        begins_snapshot(&link).and_then(|()| link.exists("SELECT 1 FROM sqlite_schema", []));
    begun.map_err(at(&path))?;
    Ok(link)
}

/// What is read, in order: what is shared, each tenant, Mainstay's own.
fn steps(
    from: &SqliteTransfer,
    spots: &[Spot],
    tenants: &[Arc<str>],
    scope: &Scope,
) -> VecDeque<Step> {
    let mut steps = VecDeque::new();
    let holds = |place: &Place| from.sheets.all[place.sheet].holds;
    let mut add = |spots: &mut dyn Iterator<Item = &Spot>,
                   of: &dyn Fn(Holds) -> bool,
                   tenant: Option<&Arc<str>>| {
        for spot in spots {
            for place in from.places(spot).into_iter().filter(|place| of(holds(place))) {
                steps.push_back(Step { spot: spot.clone(), place, tenant: tenant.cloned() });
            }
        }
    };
    let whole = *scope == Scope::Whole;
    let common = || spots.iter().filter(|spot| !is_own(spot));
    if whole {
        add(&mut common(), &|holds| matches!(holds, Holds::Rows { shared: true, .. }), None);
    }
    for tenant in tenants {
        let name = File::Tenant(Arc::clone(tenant));
        let rows = |holds| matches!(holds, Holds::Rows { shared: false, .. });
        add(&mut common(), &rows, Some(tenant));
        let its = |spot: &&Spot| matches!(spot, Spot::Of(_, file) if *file == name);
        let filled = |holds| match holds {
            Holds::Rows { shared, .. } => !shared,
            Holds::System(at) => SYSTEM[at].tenant.is_some(),
        };
        add(&mut spots.iter().filter(its), &filled, Some(tenant));
    }
    let system = |holds| matches!(holds, Holds::System(at) if whole || SYSTEM[at].tenant.is_some());
    let tenant = tenants.first().filter(|_| !whole);
    add(&mut common(), &system, tenant);
    steps
}

/// The key that signs cursors is a file here, and a value elsewhere.
fn cursor_key(from: &SqliteTransfer) -> Transferred<Option<Batch>> {
    let path = from.data().join(CURSOR_KEY);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(&path)(error)),
    };
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let cells = vec![Plain::Text("cursor_key".to_owned()), Plain::Text(hex)];
    let sheet = from.sheets.position("mainstay_meta");
    Ok(sheet.map(|sheet| Batch { sheet, lines: vec![Line { tenant: None, cells }] }))
}
