//! `mainstay views`: how far views are, and a view made anew from the log.

use super::dead_letters::unavailable;
use super::place::{self, Use};
use super::up::stores::Stores;
use crate::arguments::events::{Rebuild, Views};
use crate::arguments::transfer::Place;
use crate::failure::{Failure, Outcome};
use crate::pipeline;
use runtime::consume::rebuild::{Progress, RebuildError, Rebuilding, Rebuilt, VIEW_ROWS_MAX};
use runtime::consume::views::{self, Standing};
use runtime::plan::Plan;
use runtime::ports::clock::{SystemClock, SystemRandomness};
use std::sync::Arc;

/// What became of views.
#[derive(Debug)]
pub(crate) enum Answered {
    /// They are there.
    Listed(Vec<Standing>),
    /// Its rows are new.
    Rebuilt(Rebuilt),
}

/// Runs the verb.
pub(crate) fn views(verb: &Views, tell: &(dyn Fn(Progress) + Sync)) -> Outcome<Answered> {
    match verb {
        Views::List(place) => at(place, Use::Read, |plan, stores| {
            let ports = stores.ports();
            let listed = super::wait(views::list(&plan, &ports))?;
            let listed = listed.map_err(|why| unavailable("can't read the views", why))?;
            Ok(Answered::Listed(listed))
        }),
        Views::Rebuild(args) => {
            let wanted = Use::Change;
            at(&args.place, wanted, |plan, stores| rebuild(args, plan, stores, tell))
        }
    }
}

fn at<T>(
    place: &Place,
    wanted: Use,
    run: impl FnOnce(Arc<Plan>, &Stores) -> Outcome<T>,
) -> Outcome<T> {
    let designed = pipeline::design_to_run(&place.model.path, place.model.env.as_deref())?;
    let data = place.data.of(&designed.home);
    let in_use = wanted == Use::Change && place.database.database.is_none() && place::serves(&data);
    let opened = place::served(&designed, place, wanted);
    let opened = opened.map_err(|failure| match in_use {
        // A long commit of another process would hold up every write of the one that serves.
        true => failure
            .hint("on SQLite a view is rebuilt while no backend runs: stop it, or use PostgreSQL"),
        false => failure,
    })?;
    let stores = Stores::alone(&designed.architecture, &opened.home)?;
    let done = run(Arc::new(runtime::plan::plan(&designed.architecture)), &stores);
    stores.close();
    done
}

fn rebuild(
    args: &Rebuild,
    plan: Arc<Plan>,
    stores: &Stores,
    tell: &(dyn Fn(Progress) + Sync),
) -> Outcome<Answered> {
    let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandomness));
    let what = (args.name.as_str(), args.from_what_is_left);
    let rebuilding = Rebuilding::of(plan, stores.ports(), (clock, random), what);
    let rebuilding = rebuilding.map_err(|why| failed(&args.name, why))?;
    let rebuilt = super::wait(rebuilding.run(tell))?;
    Ok(Answered::Rebuilt(rebuilt.map_err(|why| failed(&args.name, why))?))
}

fn failed(name: &str, why: RebuildError) -> Failure {
    let what = format!("can't rebuild the view `{name}`");
    let of = |tenant: Option<Arc<str>>| {
        tenant.map_or(String::new(), |tenant| format!(" of the tenant `{tenant}`"))
    };
    match why {
        RebuildError::Unknown(known) => {
            let failure = Failure::new(format!("there is no view `{name}`"));
            match known.is_empty() {
                true => failure.caused_by("the model has no views"),
                false => failure.hint(format!("the model has `{}`", known.join("`, `"))),
            }
        }
        RebuildError::Trimmed { events, source } => Failure::new(what)
            .caused_by(format!(
                "the log `{source}` was trimmed, and nothing shows that `{}` stayed in it",
                events.join("`, `")
            ))
            .hint("`--from-what-is-left` makes it of the events that are there"),
        RebuildError::Rows(tenant) => Failure::new(what).caused_by(format!(
            "more than {VIEW_ROWS_MAX} rows{} would have to be held in memory",
            of(tenant)
        )),
        RebuildError::Busy(tenant) => Failure::new(what)
            .caused_by(format!("a backend folded into the rows{} each time", of(tenant)))
            .hint("try again where less happens, or stop the backend"),
        RebuildError::Unavailable(why) => unavailable(&what, why),
    }
}
