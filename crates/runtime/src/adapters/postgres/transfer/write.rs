//! Writes into a database: one transaction as long as rows go to one place, many rows a statement.

use super::read::{PostgresReading, lines};
use super::{HALF, PostgresTransfer, SET_TENANT, Spot, dialect, failed};
use crate::adapters::postgres::link::Link;
use crate::adapters::sql::dialect::quote;
use crate::adapters::sql::transfer::Place;
use crate::ports::transfer::{
    Batch, Holds, Key, Keys, Line, Plain, Reading, SYSTEM, Scope, Transferred, Writing,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio_postgres::types::ToSql;

/// Parameters of a statement at most, as the protocol counts them.
const PARAMETERS_MAX: usize = 32_000;
/// Keys in a statement: as many as there are, filled up with the last.
const KEYS_AT_ONCE: [usize; 3] = [1, 16, 256];
/// Gives the foreign keys of a table.
const KEYS: &str = "SELECT conname::text FROM pg_catalog.pg_constraint \
                    WHERE conrelid = $1::text::regclass AND contype = 'f'";

/// Gives them with what makes them.
const KEYS_MADE: &str = "SELECT conname::text, pg_catalog.pg_get_constraintdef(oid) \
                         FROM pg_catalog.pg_constraint \
                         WHERE conrelid = $1::text::regclass AND contype = 'f'";
/// How the text of one ends that old rows were not looked at for.
const NOT_VALID: &str = " NOT VALID";

/// Rows that go into a server.
pub(super) struct PostgresWriting<'a> {
    into: &'a PostgresTransfer,
    scope: Scope,
    open: Option<Open>,
}

/// A place that is being written.
struct Open {
    spot: Spot,
    link: Link,
    /// By sheet.
    places: BTreeMap<usize, Place>,
    /// Whose rows the transaction may write.
    tenant: Option<Arc<str>>,
    /// Foreign keys that wait for the end of the transaction, as `ALTER TABLE … CONSTRAINT …`.
    waiting: Vec<String>,
    /// What makes foreign keys again that are gone until then.
    gone: Vec<String>,
    /// A transaction has begun.
    begun: bool,
    /// What is there may be written again.
    follows: bool,
}

impl<'a> PostgresWriting<'a> {
    pub(super) fn new(into: &'a PostgresTransfer, scope: &Scope) -> Self {
        Self { into, scope: scope.clone(), open: None }
    }

    /// The place that rows go to, with a transaction.
    async fn open(&mut self, spot: &Spot) -> Transferred<()> {
        let same = |open: &&mut Open| open.spot == *spot;
        if let Some(open) = self.open.as_mut().filter(same) {
            return open.begin(self.into).await;
        }
        self.close().await?;
        if let Spot::Of(tenant) = spot {
            self.into.make(tenant).await?;
        }
        let link = self.into.link(spot).await?;
        let places = self.into.places(spot).into_iter().map(|place| (place.sheet, place)).collect();
        let (spot, tenant, begun) = (spot.clone(), None, false);
        let (waiting, gone) = (Vec::new(), Vec::new());
        let follows = self.into.follows;
        let mut open = Open { spot, link, places, tenant, waiting, gone, begun, follows };
        open.begin(self.into).await?;
        self.open = Some(open);
        Ok(())
    }

    async fn close(&mut self) -> Transferred<()> {
        match self.open.take() {
            Some(mut open) => open.end().await,
            None => Ok(()),
        }
    }

    fn spot(&self, sheet: usize, tenant: Option<&Arc<str>>) -> Spot {
        match self.into.sheets.all[sheet].holds {
            Holds::Rows { shared: true, .. } => Spot::Home,
            Holds::Rows { .. } => self.into.spot(tenant),
            Holds::System(at) if SYSTEM[at].of_system || !self.into.by_database() => Spot::Home,
            Holds::System(_) => self.into.spot(tenant),
        }
    }

    /// The place of some keys of one tenant.
    async fn place_of(&mut self, sheet: usize, key: &Key) -> Transferred<Option<(&Open, &Place)>> {
        let spot = self.spot(sheet, key.tenant.as_ref());
        self.open(&spot).await?;
        let Some(open) = &mut self.open else { return Ok(None) };
        if let Some(tenant) = &key.tenant {
            open.enter(tenant).await?;
        }
        let open = &*open;
        Ok(open.places.get(&sheet).map(|place| (open, place)))
    }

    /// Keys that one statement can name: Mainstay's own tables hold rows of all, side by side.
    fn together<'k>(&self, keys: &'k Keys) -> impl Iterator<Item = &'k [Key]> + use<'k> {
        let rows = matches!(self.into.sheets.all[keys.sheet].holds, Holds::Rows { .. });
        let apart = rows || self.into.by_database();
        keys.all.chunk_by(move |one, other| !apart || one.tenant == other.tenant)
    }

    async fn found_now(&mut self, keys: &Keys) -> Transferred<Vec<Line>> {
        let mut found = Vec::new();
        for keys_of_one in self.together(keys) {
            let first = &keys_of_one[0];
            let Some((open, place)) = self.place_of(keys.sheet, first).await? else { continue };
            for chunk in keys_of_one.chunks(KEYS_AT_ONCE[2]) {
                let (count, values) = parameters(place, chunk);
                let values: Vec<_> = values.iter().map(|one| one as &(dyn ToSql + Sync)).collect();
                let text = place.by_keys(&dialect(), count);
                let rows = open.link.query(&text, &values).await.map_err(failed)?;
                let tenant = first.tenant.as_ref().filter(|_| !place.names_all());
                found.extend(lines(&rows, place, tenant)?.into_iter().map(|(_, line)| line));
            }
        }
        Ok(found)
    }

    async fn remove_now(&mut self, keys: &Keys) -> Transferred<()> {
        for keys_of_one in self.together(keys) {
            let first = &keys_of_one[0];
            let Some((open, place)) = self.place_of(keys.sheet, first).await? else { continue };
            for chunk in keys_of_one.chunks(KEYS_AT_ONCE[2]) {
                let (count, values) = parameters(place, chunk);
                let values: Vec<_> = values.iter().map(|one| one as &(dyn ToSql + Sync)).collect();
                let text = place.remove(&dialect(), count);
                open.link.execute(&text, &values).await.map_err(failed)?;
            }
        }
        Ok(())
    }

    async fn put_now(&mut self, batch: &Batch) -> Transferred<()> {
        let mut lines = batch.lines.as_slice();
        // Mainstay's own tables hold rows of all, side by side.
        let rows = matches!(self.into.sheets.all[batch.sheet].holds, Holds::Rows { .. });
        while let Some(first) = lines.first() {
            let spot = self.spot(batch.sheet, first.tenant.as_ref());
            let same = |line: &&Line| {
                let alike = !rows || line.tenant == first.tenant;
                alike && self.spot(batch.sheet, line.tenant.as_ref()) == spot
            };
            let (these, rest) = lines.split_at(lines.iter().take_while(same).count());
            self.open(&spot).await?;
            if let Some(open) = &mut self.open {
                open.insert(batch.sheet, these).await?;
            }
            lines = rest;
        }
        Ok(())
    }
}

/// Parameters for some keys of one tenant, and how many keys they count as.
fn parameters(place: &Place, keys: &[Key]) -> (usize, Vec<Plain>) {
    let count = KEYS_AT_ONCE.into_iter().find(|count| *count >= keys.len());
    let count = count.unwrap_or(keys.len());
    let named = keys.first().and_then(|key| key.tenant.as_ref());
    let tenant = named.filter(|_| place.names_tenant());
    let tenant = tenant.map(|tenant| Plain::Text(tenant.to_string()));
    let last = keys.last().map(|key| &key.cell);
    let cells = keys.iter().map(|key| &key.cell).chain(std::iter::repeat_n(last, count).flatten());
    (count, tenant.into_iter().chain(cells.take(count).cloned()).collect())
}

impl Open {
    async fn begin(&mut self, into: &PostgresTransfer) -> Transferred<()> {
        if self.begun {
            return Ok(());
        }
        self.link.plain("BEGIN").await.map_err(failed)?;
        (self.begun, self.tenant) = (true, None);
        match into.follows {
            true => self.keys_go(into).await,
            false => self.keys_wait(into).await,
        }
    }

    async fn end(&mut self) -> Transferred<()> {
        if !self.begun {
            return Ok(());
        }
        if !self.waiting.is_empty() {
            self.link.plain("SET CONSTRAINTS ALL IMMEDIATE").await.map_err(failed)?;
        }
        for key in self.waiting.drain(..) {
            self.link.plain(&format!("{key} NOT DEFERRABLE")).await.map_err(failed)?;
        }
        let back = self.gone.join("; ");
        if !back.is_empty() {
            self.link.plain(&back).await.map_err(failed)?;
            self.gone.clear();
        }
        self.link.plain("COMMIT").await.map_err(failed)?;
        self.begun = false;
        Ok(())
    }

    /// Rows of this tenant may be read and written from now on.
    async fn enter(&mut self, tenant: &Arc<str>) -> Transferred<()> {
        if self.tenant.as_ref() != Some(tenant) {
            self.link.execute(SET_TENANT, &[&tenant.as_ref()]).await.map_err(failed)?;
            self.tenant = Some(Arc::clone(tenant));
        }
        Ok(())
    }

    /// Rows that are replaced take nothing along, and files of tenants are of other moments than
    /// what they share: until the end of the transaction there are no foreign keys. What they would
    /// look at is proven with the rows, so they come back without a look at all of them; that
    /// follows when everything is there.
    async fn keys_go(&mut self, into: &PostgresTransfer) -> Transferred<()> {
        let mut go = Vec::new();
        for (sheet, place) in &self.places {
            let Holds::Rows { table, .. } = into.sheets.all[*sheet].holds else { continue };
            if into.schema.tables[table].foreign_keys.is_empty() {
                continue;
            }
            for row in self.link.query(KEYS_MADE, &[&place.table]).await.map_err(failed)? {
                let (name, made): (String, String) = (row.get(0), row.get(1));
                let name = quote(&name);
                let made = made.strip_suffix(NOT_VALID).unwrap_or(&made);
                let table = &place.table;
                go.push(format!("ALTER TABLE {table} DROP CONSTRAINT {name}"));
                self.gone
                    .push(format!("ALTER TABLE {table} ADD CONSTRAINT {name} {made}{NOT_VALID}"));
            }
        }
        match go.is_empty() {
            true => Ok(()),
            false => self.link.plain(&go.join("; ")).await.map_err(failed),
        }
    }

    /// Keys of tables that refer to themselves, or in a circle, look when all rows are there.
    async fn keys_wait(&mut self, into: &PostgresTransfer) -> Transferred<()> {
        let order: Vec<usize> = into
            .sheets
            .all
            .iter()
            .filter_map(|sheet| match sheet.holds {
                Holds::Rows { table, .. } => Some(table),
                Holds::System(_) => None,
            })
            .collect();
        let at = |table: usize| order.iter().position(|one| *one == table);
        for (sheet, place) in &self.places {
            let Holds::Rows { table, .. } = into.sheets.all[*sheet].holds else { continue };
            let keys = &into.schema.tables[table].foreign_keys;
            if !keys.iter().any(|key| at(key.table) >= at(table)) {
                continue;
            }
            for row in self.link.query(KEYS, &[&place.table]).await.map_err(failed)? {
                let name: String = row.get(0);
                let name = quote(&name);
                let key = format!("ALTER TABLE {} ALTER CONSTRAINT {name}", place.table);
                let text = format!("{key} DEFERRABLE INITIALLY DEFERRED");
                self.link.plain(&text).await.map_err(failed)?;
                self.waiting.push(key);
            }
        }
        Ok(())
    }

    /// Rows of one tenant.
    async fn insert(&mut self, sheet: usize, lines: &[Line]) -> Transferred<()> {
        if let Some(tenant) = lines.first().and_then(|line| line.tenant.as_ref()) {
            self.enter(tenant).await?;
        }
        let Some(place) = self.places.get(&sheet) else { return Ok(()) };
        for lines in lines.chunks(place.rows_at_once(PARAMETERS_MAX)) {
            let text = match self.follows {
                true => place.upsert(&dialect(), lines.len()),
                false => place.insert(&dialect(), lines.len()),
            };
            let tenants: Vec<Plain> = lines
                .iter()
                .map(|line| match &line.tenant {
                    Some(tenant) => Plain::Text(tenant.to_string()),
                    None => Plain::Null,
                })
                .collect();
            let mut values: Vec<&(dyn ToSql + Sync)> = Vec::new();
            for (line, tenant) in lines.iter().zip(&tenants) {
                if place.tenant.is_some() {
                    values.push(tenant);
                }
                values.extend(line.cells.iter().map(|cell| cell as &(dyn ToSql + Sync)));
            }
            self.link.execute(&text, &values).await.map_err(failed)?;
        }
        Ok(())
    }
}

impl Writing for PostgresWriting<'_> {
    fn put(&mut self, batch: &Batch) -> Transferred<()> {
        let into = self.into;
        into.wait(self.put_now(batch))
    }

    fn written(&mut self) -> Transferred<Option<Box<dyn Reading + '_>>> {
        let into = self.into;
        into.wait(self.close())?;
        if self.scope == Scope::Whole && into.check_sees_all().is_err() {
            return Ok(None);
        }
        Ok(Some(Box::new(into.wait(PostgresReading::new(into, &self.scope))?)))
    }

    fn found(&mut self, keys: &Keys) -> Transferred<Vec<Line>> {
        let into = self.into;
        into.wait(self.found_now(keys))
    }

    fn remove(&mut self, keys: &Keys) -> Transferred<()> {
        let into = self.into;
        into.wait(self.remove_now(keys))
    }

    fn undo(&mut self) {
        // The server ends the transaction of a connection that is gone.
        self.open = None;
    }

    fn keep(&mut self) -> Transferred<()> {
        let into = self.into;
        into.wait(async {
            match &mut self.open {
                Some(open) => open.end().await,
                None => Ok(()),
            }
        })
    }

    fn finish(mut self: Box<Self>) -> Transferred<()> {
        let into = self.into;
        into.wait(async {
            self.close().await?;
            if self.scope == Scope::Whole {
                let link = into.link(&Spot::Home).await?;
                let text = "DELETE FROM \"mainstay\".\"meta\" WHERE \"name\" = $1";
                link.execute(text, &[&HALF]).await.map_err(failed)?;
            }
            Ok(())
        })
    }
}
