//! `mainstay dead-letters`: what consumers gave up is looked at, tried again or given up for good.

use super::place::{self, Use};
use super::up::stores::Stores;
use crate::arguments::events::{DeadLetters, ListLetters, OfLetter, Redrive};
use crate::arguments::transfer::Place;
use crate::failure::{Failure, Outcome};
use crate::pipeline::{self, Designed};
use runtime::consume::letters;
use runtime::plan::Plan;
use runtime::ports::events::{Held, HeldQuery, Remedy, State};
use runtime::ports::store::{Store, Unavailable};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Dead letters that are read at once.
const PAGE_ROWS_MAX: u32 = 1_000;
/// Bytes that edited data may have.
const DATA_BYTES_MAX: u64 = 1 << 20;

/// What became of dead letters.
#[derive(Debug)]
pub(crate) enum Answered {
    /// They are there, as the API shows them, and perhaps more.
    Listed(Vec<Value>, bool),
    /// One, as the API shows it.
    Shown(Value),
    /// So many are tried again.
    Redriven(u64),
    /// It is given up for good.
    Discarded(String),
}

/// Runs the verb.
pub(crate) fn dead_letters(verb: &DeadLetters) -> Outcome<Answered> {
    match verb {
        DeadLetters::List(args) => at(&args.place, None, Use::Read, |desk| desk.list(args)),
        DeadLetters::Show(args) => {
            let wanted = Use::Read;
            at(&args.of.place, None, wanted, |desk| {
                Ok(Answered::Shown(desk.json(&desk.find(&args.of.id)?)))
            })
        }
        DeadLetters::Redrive(args) => {
            let path = match (&args.id, args.all) {
                // The one name that is given is that of the model.
                (Some(path), true) => Some(PathBuf::from(path)),
                _ => None,
            };
            at(&args.place, path.as_deref(), Use::Beside, |desk| desk.redrive(args))
        }
        DeadLetters::Discard(OfLetter { id, place }) => at(place, None, Use::Beside, |desk| {
            desk.remedy(&desk.find(id)?, &Remedy::Discard)?;
            Ok(Answered::Discarded(id.clone()))
        }),
    }
}

/// A plan, and the stores that it is about.
struct Desk {
    designed: Designed,
    plan: Plan,
    stores: Vec<Arc<dyn Store>>,
}

fn at<T>(
    place: &Place,
    path: Option<&Path>,
    wanted: Use,
    run: impl FnOnce(&Desk) -> Outcome<T>,
) -> Outcome<T> {
    let env = place.model.env.as_deref();
    let designed = pipeline::design_to_run(path.unwrap_or(&place.model.path), env)?;
    let opened = place::served(&designed, place, wanted)?;
    let stores = Stores::alone(&designed.architecture, &opened.home)?;
    let plan = runtime::plan::plan(&designed.architecture);
    let desk = Desk { designed, plan, stores: stores.ports() };
    let done = run(&desk);
    stores.close();
    done
}

impl Desk {
    fn held(&self, query: &HeldQuery) -> Outcome<Vec<Held>> {
        let tenant = query.tenant.as_ref();
        let held = super::wait(letters::held(&self.stores, tenant, query))?;
        held.map_err(|why| unavailable("can't read the dead letters", why))
    }

    fn json(&self, held: &Held) -> Value {
        serde_json::from_str(&letters::text(&self.plan, held)).unwrap_or_default()
    }

    fn query(&self, tenant: Option<&str>, consumer: Option<&str>) -> Outcome<HeldQuery> {
        if let Some(tenant) = tenant {
            place::tenant(&self.designed, tenant)?;
        }
        Ok(HeldQuery {
            tenant: tenant.map(|tenant| Some(Arc::from(tenant))),
            consumer: consumer.map(str::to_owned),
            state: Some(State::Dead),
            rows_max: PAGE_ROWS_MAX,
            ..HeldQuery::default()
        })
    }

    fn list(&self, args: &ListLetters) -> Outcome<Answered> {
        let mut query = self.query(args.tenant.as_deref(), args.consumer.as_deref())?;
        query.rows_max = args.limit + 1;
        let mut all = self.held(&query)?;
        let more = all.len() > args.limit as usize;
        all.truncate(args.limit as usize);
        Ok(Answered::Listed(all.iter().map(|held| self.json(held)).collect(), more))
    }

    fn find(&self, id: &str) -> Outcome<Held> {
        let (event, consumer) = letters::named(id).ok_or_else(|| {
            Failure::new(format!("`{id}` is no id of a dead letter"))
                .hint("it is `<event>:<consumer>`, as `mainstay dead-letters list` shows it")
        })?;
        let mut query = self.query(None, Some(&consumer))?;
        query.event = Some(event);
        self.held(&query)?.into_iter().next().ok_or_else(|| gone(id))
    }

    fn remedy(&self, held: &Held, remedy: &Remedy) -> Outcome<()> {
        match self.remedied(held, remedy)? {
            true => Ok(()),
            false => Err(gone(&letters::id(held))),
        }
    }

    /// False where somebody else did something about it meanwhile.
    fn remedied(&self, held: &Held, remedy: &Remedy) -> Outcome<bool> {
        let of = (held.event.id, &*held.part.consumer);
        let tenant = Some(&held.event.tenant);
        let done = super::wait(letters::remedy(&self.stores, tenant, of, remedy, super::now()))?;
        done.map_err(|why| unavailable("can't change the dead letter", why))
    }

    fn redrive(&self, args: &Redrive) -> Outcome<Answered> {
        if args.all {
            return self.redrive_all(args);
        }
        let data = args.event_data.as_deref().map(edited).transpose()?;
        let held = self.find(args.id.as_deref().unwrap_or_default())?;
        self.remedy(&held, &letters::redrive(&self.plan, &held, data))?;
        Ok(Answered::Redriven(1))
    }

    fn redrive_all(&self, args: &Redrive) -> Outcome<Answered> {
        let mut query = self.query(args.tenant.as_deref(), args.consumer.as_deref())?;
        let mut redriven = 0;
        loop {
            let page = self.held(&query)?;
            // What fails again meanwhile stands where it stood: the pages go on behind it.
            query.after = page.last().map(|last| (last.since, last.event.id));
            for held in &page {
                redriven += u64::from(self.remedied(held, &Remedy::Redrive { data: None })?);
            }
            if page.len() < PAGE_ROWS_MAX as usize {
                return Ok(Answered::Redriven(redriven));
            }
        }
    }
}

fn gone(id: &str) -> Failure {
    Failure::new(format!("there is no dead letter `{id}`"))
        .hint("`mainstay dead-letters list` shows those that are there")
}

/// The data that takes the place of what was published.
fn edited(path: &Path) -> Outcome<Arc<str>> {
    let failed = |cause: &dyn std::fmt::Display| {
        Failure::new(format!("can't use the data in `{}`", path.display())).caused_by(cause)
    };
    let size = std::fs::metadata(path).map_err(|cause| failed(&cause))?.len();
    if size > DATA_BYTES_MAX {
        return Err(failed(&format!("it has {size} bytes; {DATA_BYTES_MAX} are the most")));
    }
    let text = std::fs::read_to_string(path).map_err(|cause| failed(&cause))?;
    // Read and thrown away: numbers stay as they were written.
    let data: serde_json::Result<Value> = serde_json::from_str(&text);
    match data.map_err(|cause| failed(&cause))? {
        Value::Object(_) => Ok(Arc::from(text.trim())),
        _ => Err(failed(&"it must be a JSON object: what stands in `data` of the event")),
    }
}

/// A store could not do its work.
pub(super) fn unavailable(what: &str, why: Unavailable) -> Failure {
    let cause = match why {
        Unavailable::Busy => "others are writing; try again".to_owned(),
        Unavailable::Deadline => "it took too long".to_owned(),
        Unavailable::Full => "the disk is full".to_owned(),
        Unavailable::ReadOnly => "the store takes no writes".to_owned(),
        Unavailable::Broken(why) => why,
    };
    Failure::new(what).caused_by(cause)
}
