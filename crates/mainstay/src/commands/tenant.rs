//! `mainstay tenant`: tenants come, are taken along and go.

use super::backup::{self, Done};
use super::place::{self, Use};
use crate::arguments::transfer::{Place, Tenant};
use crate::failure::{Failure, Outcome};
use crate::pipeline::{self, Designed};
use runtime::transfer::Tell;

/// What became of tenants.
#[derive(Debug)]
pub(crate) enum Answered {
    /// It has a place.
    Added(String),
    /// They are there.
    Listed(Vec<String>),
    /// It was written out.
    Exported(Done),
    /// It is gone, but for its rows in tables that were left out.
    Erased(String, Vec<String>),
}

/// Runs the verb.
pub(crate) fn tenant(verb: &Tenant, tell: Tell<'_>) -> Outcome<Answered> {
    match verb {
        Tenant::Add(args) => {
            let (designed, which) = of(&args.place)?;
            place::tenant(&designed, &args.name)?;
            let opened = place::open(&designed, &which, Use::Change)?;
            let made = opened.transfer.provision(&args.name);
            made.map_err(|cause| failed("add", &args.name, cause))?;
            Ok(Answered::Added(args.name.clone()))
        }
        Tenant::List(place) => {
            let (designed, which) = of(place)?;
            let opened = place::open(&designed, &which, Use::Read)?;
            let tenants = opened
                .transfer
                .tenants()
                .map_err(|cause| place::hinted(Failure::new("can't list the tenants"), cause))?;
            Ok(Answered::Listed(tenants.iter().map(ToString::to_string).collect()))
        }
        Tenant::Export(args) => {
            let (designed, which) = of(&args.of.place)?;
            let scope = place::tenant(&designed, &args.of.name)?;
            let done = backup::rows(&designed, &which, &scope, &args.to, tell)?;
            Ok(Answered::Exported(done))
        }
        Tenant::Erase(args) => {
            let name = &args.of.name;
            let (designed, which) = of(&args.of.place)?;
            place::tenant(&designed, name)?;
            if !args.yes {
                return Err(Failure::new(format!("nothing of `{name}` was erased"))
                    .hint("there is no way back: say `--yes`; `tenant export` takes it along"));
            }
            let opened = place::open(&designed, &which, Use::Change)?;
            opened.transfer.erase(name).map_err(|cause| failed("erase", name, cause))?;
            Ok(Answered::Erased(name.clone(), place::left_out(&designed)))
        }
    }
}

fn failed(what: &str, name: &str, cause: runtime::ports::transfer::TransferError) -> Failure {
    place::hinted(Failure::new(format!("can't {what} the tenant `{name}`")), cause)
}

fn of(place: &Place) -> Outcome<(Designed, place::Which<'_>)> {
    let designed = pipeline::design_to_run(&place.model.path, place.model.env.as_deref())?;
    Ok((designed, place::Which { data: &place.data, database: &place.database }))
}
