//! What is half there, or not what was read, is served by nobody and can be begun anew.

use super::*;
use crate::ports::transfer::{
    Batch, Forgotten, Plain, Reading, Sheets, Trace, Transferred, Writing,
};

/// What is marked as half there is opened by no store.
fn nobody_serves(of: &Data) {
    match of {
        Data::Directory(place, _) => {
            let opened = crate::adapters::sqlite::DataDirectory::open(place.path());
            assert!(opened.expect_err("it is refused").to_string().contains("half there"));
        }
        Data::Server(database, layout) => {
            let (domain, schema) = Database::model(*layout);
            let opened = crate::adapters::postgres::PostgresStore::open(
                database.config(*layout),
                domain,
                schema,
            );
            let why = opened.err().map(|why| why.to_string()).unwrap_or_default();
            assert!(why.contains("half there"), "{why}");
        }
    }
}

/// A place where a text that is written becomes another on its way to the disk.
struct Tampered(Box<dyn Transfer>);

struct TamperedWriting<'a>(Box<dyn Writing + 'a>);

impl Transfer for Tampered {
    fn sheets(&self) -> &Sheets {
        self.0.sheets()
    }

    fn tenants(&self) -> Transferred<Vec<Arc<str>>> {
        self.0.tenants()
    }

    fn read(&self, scope: &Scope) -> Transferred<Box<dyn Reading + '_>> {
        self.0.read(scope)
    }

    fn write(&self, scope: &Scope, replace: bool) -> Transferred<Box<dyn Writing + '_>> {
        Ok(Box::new(TamperedWriting(self.0.write(scope, replace)?)))
    }

    fn provision(&self, tenant: &str) -> Transferred<()> {
        self.0.provision(tenant)
    }

    fn erase(&self, tenant: &str) -> Transferred<()> {
        self.0.erase(tenant)
    }

    fn forget(&self, tenants: &[Arc<str>], traces: &[Trace]) -> Transferred<Forgotten> {
        self.0.forget(tenants, traces)
    }
}

impl Writing for TamperedWriting<'_> {
    fn put(&mut self, batch: &Batch) -> Transferred<()> {
        let mut batch = batch.clone();
        for cell in batch.lines.iter_mut().flat_map(|line| &mut line.cells) {
            if *cell == Plain::Text("code 10".to_owned()) {
                *cell = Plain::Text("code 1O".to_owned());
            }
        }
        self.0.put(&batch)
    }

    fn written(&mut self) -> Transferred<Option<Box<dyn Reading + '_>>> {
        self.0.written()
    }

    fn finish(self: Box<Self>) -> Transferred<()> {
        self.0.finish()
    }
}

#[test]
fn what_does_not_prove_equal_is_served_by_nobody_and_begins_anew() {
    let Some(database) = Database::new() else { return };
    let from = directory(Layout::Row);
    fill(&from);
    for to in [directory(Layout::File), Data::Server(database, Layout::Schema)] {
        let tampered = Tampered(to.transfer());
        let copied = copy(&*from.transfer(), &tampered, &Scope::Whole, false, &|_| {});
        let why = copied.expect_err("a row is another").to_string();
        assert!(why.contains("the rows differ: `lab_things`"), "{why}");
        drop(tampered);
        nobody_serves(&to);
        goes(&from, &to);
    }
}

#[test]
fn what_is_broken_off_is_served_by_nobody_and_begins_anew() {
    let Some(database) = Database::new() else { return };
    let from = directory(Layout::Row);
    fill(&from);
    for to in [directory(Layout::File), Data::Server(database, Layout::Schema)] {
        {
            let (from, into) = (from.transfer(), to.transfer());
            let mut reading = from.read(&Scope::Whole).expect("it reads");
            let mut writing = into.write(&Scope::Whole, false).expect("it writes");
            for _ in 0..3 {
                let batch = reading.next().expect("it reads").expect("there are some");
                writing.put(&batch).expect("it writes");
            }
        }
        nobody_serves(&to);
        goes(&from, &to);
    }
}
