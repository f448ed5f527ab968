//! Writes into the files of a data directory: a transaction a file, those of services open until
//! the end, one of a tenant until rows of the next come.

use super::read::SqliteReading;
use super::{CURSOR_KEY, Spot, SqliteTransfer, at, io, sync};
use crate::adapters::sql::dialect::Sqlite;
use crate::adapters::sql::transfer::{Place, text};
use crate::adapters::sqlite::layout::File;
use crate::adapters::sqlite::link::{Link, Role};
use crate::ports::transfer::{
    Batch, Holds, Line, Plain, Reading, SYSTEM, Scope, TransferError, Transferred, Writing,
};
use crate::private;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;

/// Rows that go into files.
pub(super) struct SqliteWriting<'a> {
    into: &'a SqliteTransfer,
    scope: Scope,
    open: BTreeMap<Spot, Open>,
}

/// A file that is being written.
struct Open {
    link: Link,
    /// By sheet.
    places: BTreeMap<usize, Place>,
}

impl<'a> SqliteWriting<'a> {
    pub(super) fn new(into: &'a SqliteTransfer, scope: &Scope) -> Transferred<Self> {
        into.make_keys()?;
        let mut writing = Self { into, scope: scope.clone(), open: BTreeMap::new() };
        for at in 0..into.services.len() {
            writing.open(Spot::Of(at, File::Service))?;
        }
        writing.open(Spot::Keys)?;
        Ok(writing)
    }

    fn open(&mut self, spot: Spot) -> Transferred<()> {
        if self.open.contains_key(&spot) {
            return Ok(());
        }
        if let Spot::Of(service, file) = &spot {
            if let File::Tenant(tenant) = file {
                self.close_others(tenant)?;
            }
            let layout = &self.into.services[*service];
            let path = layout.path(file);
            let parent = path.parent().unwrap_or(self.into.data());
            private::directory(parent).map_err(io(parent))?;
            let made = layout.writer_or_new(file);
            made.map_err(|why| TransferError::Failed(format!("`{}`: {why:?}", path.display())))?;
        }
        let link = self.into.link(&spot, Role::Writer)?;
        let begun =
            link.connection.execute_batch("BEGIN IMMEDIATE; PRAGMA defer_foreign_keys = ON");
        begun.map_err(at(&self.into.path(&spot)))?;
        let places =
            self.into.places(&spot).into_iter().map(|place| (place.sheet, place)).collect();
        self.open.insert(spot, Open { link, places });
        Ok(())
    }

    fn close_others(&mut self, tenant: &Arc<str>) -> Transferred<()> {
        let other = |spot: &Spot| matches!(spot, Spot::Of(_, File::Tenant(name)) if name != tenant);
        let others: Vec<Spot> = self.open.keys().filter(|spot| other(spot)).cloned().collect();
        others.into_iter().try_for_each(|spot| self.close(&spot))
    }

    fn close(&mut self, spot: &Spot) -> Transferred<()> {
        let Some(open) = self.open.remove(spot) else { return Ok(()) };
        let ended = open.link.connection.execute_batch("COMMIT").and_then(|()| {
            let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
            open.link.connection.query_row(checkpoint, [], |_| Ok(()))
        });
        ended.map_err(at(&self.into.path(spot)))
    }

    fn close_all(&mut self) -> Transferred<()> {
        let open: Vec<Spot> = self.open.keys().cloned().collect();
        open.iter().try_for_each(|spot| self.close(spot))?;
        let data = self.into.data();
        sync(data).map_err(io(data))
    }

    /// Where a row goes.
    fn spots(&self, sheet: usize, line: &Line) -> Transferred<Vec<Spot>> {
        let into = self.into;
        let file = |service: usize| match &line.tenant {
            Some(tenant) if into.services[service].per_tenant() => File::Tenant(Arc::clone(tenant)),
            Some(_) | None => File::Service,
        };
        let count = into.services.len();
        let nobody = || {
            let name = &into.sheets.all[sheet].name;
            TransferError::Failed(format!("no service has the rows of `{name}`"))
        };
        Ok(match into.sheets.all[sheet].holds {
            Holds::Rows { table, shared } => {
                let resource = into.schema.tables[table].resource;
                let here = |at: &usize| {
                    let file = if shared { File::Service } else { file(*at) };
                    into.services[*at].holds(&file, resource)
                };
                let service = (0..count).find(here).ok_or_else(nobody)?;
                vec![Spot::Of(service, if shared { File::Service } else { file(service) })]
            }
            Holds::System(at) if SYSTEM[at].of_system => vec![Spot::Keys],
            // Which service gave an answer is not known: each of them may be asked.
            Holds::System(at) if SYSTEM[at].alike => {
                (0..count).map(|service| Spot::Of(service, file(service))).collect()
            }
            Holds::System(at) => {
                let named = SYSTEM[at].columns.iter().position(|column| column.name == "resource");
                let named = named.and_then(|at| text(&line.cells[at]));
                let of =
                    |service: &usize| named.is_some_and(|name| into.of_service(*service, name));
                let named = SYSTEM[at].columns.iter().position(|column| column.name == "consumer");
                let consumer = named.and_then(|at| text(&line.cells[at]));
                let consumes =
                    |service: &usize| consumer.is_some_and(|name| into.consumes(*service, name));
                let service = match consumer {
                    Some(_) => (0..count).find(consumes),
                    None => (0..count).find(of),
                };
                let service = service.unwrap_or(0);
                vec![Spot::Of(service, file(service))]
            }
        })
    }

    fn write(&mut self, sheet: usize, line: &Line) -> Transferred<()> {
        if self.into.sheets.all[sheet].name == "mainstay_meta"
            && let [Plain::Text(name), Plain::Text(hex)] = line.cells.as_slice()
            && name == "cursor_key"
        {
            return self.cursor_key(hex);
        }
        for spot in self.spots(sheet, line)? {
            self.open(spot.clone())?;
            let open = &self.open[&spot];
            let Some(place) = open.places.get(&sheet) else { continue };
            let text = place.insert(&Sqlite, 1);
            let path = self.into.path(&spot);
            let tenant = place.tenant.is_some().then(|| match &line.tenant {
                Some(tenant) => Plain::Text(tenant.to_string()),
                None => Plain::Null,
            });
            let mut statement = open.link.statement(&text).map_err(at(&path))?;
            let values = rusqlite::params_from_iter(tenant.iter().chain(&line.cells));
            statement.execute(values).map_err(at(&path))?;
        }
        Ok(())
    }

    fn cursor_key(&self, hex: &str) -> Transferred<()> {
        let path = self.into.data().join(CURSOR_KEY);
        let digits = hex.as_bytes().chunks(2).map(|two| {
            std::str::from_utf8(two).ok().and_then(|two| u8::from_str_radix(two, 16).ok())
        });
        let wrong = || TransferError::Failed("`cursor_key` is not a key".to_owned());
        let key: Vec<u8> = digits.collect::<Option<_>>().ok_or_else(wrong)?;
        super::remove(&path)?;
        let mut file = private::create_new(&path).map_err(io(&path))?;
        file.write_all(&key).and_then(|()| file.sync_all()).map_err(io(&path))
    }
}

impl Writing for SqliteWriting<'_> {
    fn put(&mut self, batch: &Batch) -> Transferred<()> {
        batch.lines.iter().try_for_each(|line| self.write(batch.sheet, line))
    }

    fn written(&mut self) -> Transferred<Option<Box<dyn Reading + '_>>> {
        self.close_all()?;
        Ok(Some(Box::new(SqliteReading::new(self.into, &self.scope)?)))
    }

    fn finish(mut self: Box<Self>) -> Transferred<()> {
        self.close_all()?;
        let data = self.into.data();
        if self.scope == Scope::Whole {
            super::remove(&self.into.half())?;
            sync(data).map_err(io(data))?;
        }
        Ok(())
    }
}

impl SqliteTransfer {
    /// True where a service has the resource of that full name: `ordering.Order`.
    fn of_service(&self, service: usize, name: &str) -> bool {
        let layout = &self.services[service];
        let domain = &layout.plan.domain;
        let named = domain.resources().find(|(id, _)| domain.full_name(*id) == name);
        named.is_some_and(|(id, _)| layout.makes(&layout.plan.table(id).name))
    }

    /// True where a service has the context of a consumer: `billing`, `view billing.Sales`.
    fn consumes(&self, service: usize, consumer: &str) -> bool {
        let layout = &self.services[service];
        let domain = &layout.plan.domain;
        let name = consumer.strip_prefix("view ").unwrap_or(consumer);
        let context = name.split_once('.').map_or(name, |(context, _)| context);
        let is_of = |id| {
            let name = domain.full_name(id);
            name.split_once('.').is_some_and(|(of, _)| of == context)
        };
        let mut made = domain.resources().filter(|(id, _)| is_of(*id));
        made.any(|(id, _)| layout.makes(&layout.plan.table(id).name))
    }
}
