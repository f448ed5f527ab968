//! `mainstay audit`: whether the audit trail is whole.

use crate::arguments::audit::Verify;
use crate::failure::{Failure, Outcome};
use crate::pipeline;
use runtime::adapters::postgres::{self, Address};
use runtime::adapters::sqlite;
use runtime::ports::audit::{Head, Verdict};

/// What was found.
#[derive(Debug)]
pub(crate) struct Verified {
    /// One verdict a chain.
    pub(crate) chains: Vec<Verdict>,
    /// Noted heads of chains that are not there at all.
    pub(crate) missing: Vec<Head>,
}

/// Walks along every chain of the data.
pub(crate) fn verify(arguments: &Verify) -> Outcome<Verified> {
    let model = &arguments.model;
    let designed = pipeline::design_to_run(&model.path, model.env.as_deref())?;
    let failed =
        |fault: &dyn std::fmt::Display| Failure::new("can't read the audit trail").caused_by(fault);
    let heads = &arguments.heads;
    let chains = match &arguments.database.database {
        Some(url) => {
            let walked =
                Address::parse(url).and_then(|address| postgres::verify_audit(address, heads));
            walked.map_err(|fault| failed(&fault))?
        }
        None => {
            let data = arguments.data.of(&designed.home);
            if !data.is_dir() {
                return Err(failed(&format!("there is no directory `{}`", data.display()))
                    .hint("give the data directory of the backend with `--data`"));
            }
            super::home::check(&data, &designed.architecture.domain.system)?;
            sqlite::verify_audit(&data, heads).map_err(|fault| failed(&fault))?
        }
    };
    let there = |head: &&Head| chains.iter().any(|chain| chain.head.chain == head.chain);
    let missing = heads.iter().filter(|head| !there(head)).cloned().collect();
    Ok(Verified { chains, missing })
}
