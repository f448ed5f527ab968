//! Faults of meaning: [`check`] resolves a model, asks every question of it and is the only maker
//! of a valid one. Each code is one file: its page, its question and its test.

mod constraints;
mod logic;
mod machines;
pub(crate) mod outside;
mod place;
#[cfg(test)]
mod properties;
pub(crate) mod reads;
pub(crate) mod resolve;
mod suggest;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod typing;
pub(crate) mod world;

mod e030_too_many;
mod e031_unknown_actor;
mod e032_unknown_role;
mod e033_unknown_context;
mod e034_unknown_resource;
mod e035_unknown_field;
mod e036_unknown_name;
mod e037_unknown_value;
mod e038_unknown_event;
mod e039_unknown_command;
mod e040_unknown_operation;
mod e041_unknown_workflow;
mod e042_ambiguous_resource;
mod e043_duplicate;
mod e044_taken_name;
mod e045_collision;
mod e046_operands;
mod e047_wrong_type;
mod e048_call;
mod e049_not_here;
mod e050_foreign_me;
mod e051_other_aggregate;
mod e052_too_large;
mod e053_pattern;
mod e054_computed_cycle;
mod e055_rule_cycle;
mod e056_bounds;
mod e057_default;
mod e058_word;
mod e059_at;
mod e060_not_settable;
mod e061_breaks_constraint;
mod e062_child_as_root;
mod e063_ownership;
mod e064_never_overlap;
mod e065_unique;
mod e066_shared_reference;
mod e067_shared_open;
mod e068_never_holds;
mod e069_nobody_reads;
mod e070_nobody_creates;
mod e071_command_without_caller;
mod e072_uncalled;
mod e073_unreachable_state;
mod e074_stuck_state;
mod e075_personal_told;
mod e076_secret_told;
mod e077_never_emitted;
mod e078_view_key;
mod e079_system_not_allowed;
mod e080_undo_missing;
mod e081_inputs;
mod e082_step;
mod e083_unknown_outcome;
mod e084_unknown_refusal;
mod e085_workflow_start;
mod e086_schedule;
mod e087_journey_not_allowed;
mod e088_shares;
mod e089_impossible_goal;
mod e090_reads;
mod e091_list_options;
mod e092_pin;
mod e093_retention;
mod e094_routes;
mod e095_null;
mod e096_reaction_loop;
mod e097_constraints;
mod e098_was;
mod e099_unused;
mod e100_unknown_word;
mod e101_open_tenants;
mod e102_unmanaged;
mod e103_breaks_consumers;
mod e104_window;
mod e105_event_version;
mod e106_older_version;
mod e110_webhooks;
mod e111_job;

pub use e048_call::FUNCTIONS;
pub use e103_breaks_consumers::{broken_consumers, unreadable};

use ir::diagnostic::{Page, has_errors};
use ir::{Diagnostic, Model, Valid};
use resolve::{Resolved, resolve};
use std::collections::BTreeSet;

/// Faults that are told at once.
const FAULTS_MAX: usize = 500;

/// A question asked of a whole model.
type Check = fn(&Resolved<'_>, &mut Vec<Diagnostic>);

/// The one list of codes: those told while names and types are resolved, those that are asked
/// afterwards, and those that compare a valid model with what was published. The name of the file
/// is all that a new code needs here.
macro_rules! codes {
    (
        resolving: $($raised:ident),+;
        asked: $($asked:ident),+;
        compared: $($compared:ident),+;
    ) => {
        /// The page of every code of this crate.
        pub const PAGES: &[Page] = &[
            $(Page {
                code: $raised::CODE.0,
                source: include_str!(concat!("check/", stringify!($raised), ".rs")),
            },)+
            $(Page {
                code: $asked::CODE.0,
                source: include_str!(concat!("check/", stringify!($asked), ".rs")),
            },)+
            $(Page {
                code: $compared::CODE.0,
                source: include_str!(concat!("check/", stringify!($compared), ".rs")),
            },)+
        ];

        const CHECKS: &[Check] = &[$($asked::check),+];
    };
}

codes! {
    resolving:
        e030_too_many, e031_unknown_actor, e032_unknown_role, e033_unknown_context,
        e034_unknown_resource, e035_unknown_field, e036_unknown_name, e037_unknown_value,
        e038_unknown_event, e039_unknown_command, e040_unknown_operation, e041_unknown_workflow,
        e042_ambiguous_resource, e046_operands, e047_wrong_type, e048_call, e049_not_here,
        e050_foreign_me, e051_other_aggregate, e052_too_large, e053_pattern, e055_rule_cycle,
        e056_bounds, e059_at, e060_not_settable, e064_never_overlap, e078_view_key, e081_inputs,
        e082_step, e084_unknown_refusal, e086_schedule, e091_list_options, e105_event_version,
        e111_job;
    asked:
        e043_duplicate, e044_taken_name, e045_collision, e054_computed_cycle, e057_default,
        e058_word, e061_breaks_constraint, e062_child_as_root, e063_ownership, e065_unique,
        e066_shared_reference, e067_shared_open, e068_never_holds, e069_nobody_reads,
        e070_nobody_creates, e071_command_without_caller, e072_uncalled, e073_unreachable_state,
        e074_stuck_state, e075_personal_told, e076_secret_told, e077_never_emitted,
        e079_system_not_allowed, e080_undo_missing, e083_unknown_outcome, e085_workflow_start,
        e087_journey_not_allowed, e088_shares, e089_impossible_goal, e090_reads, e092_pin,
        e093_retention, e094_routes, e095_null, e096_reaction_loop, e097_constraints, e098_was,
        e099_unused, e100_unknown_word, e101_open_tenants, e102_unmanaged, e104_window,
        e110_webhooks;
    compared: e103_breaks_consumers, e106_older_version;
}

/// Tells every fault of meaning, in the order of the files; the model is valid where none of them
/// is an error.
pub fn check(model: Model) -> (Option<Valid<Model>>, Vec<Diagnostic>) {
    let mut found = Vec::new();
    e030_too_many::check(&model, &mut found);
    if has_errors(&found) {
        return (None, found);
    }
    let mut resolved = resolve(&model, &mut found);
    outside::look(&mut resolved, &mut found);
    for check in CHECKS {
        check(&resolved, &mut found);
    }
    let mut told = BTreeSet::new();
    found.retain(|fault| told.insert((fault.primary.span, fault.code, fault.message.clone())));
    found.sort_by_key(|fault| (fault.primary.span, fault.code));
    let broken = has_errors(&found);
    if found.len() > FAULTS_MAX {
        found = e030_too_many::first_faults(found, FAULTS_MAX, broken);
    }
    if broken { (None, found) } else { (Some(Valid::vouch(model)), found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_a_code_is_registered_once_and_in_order() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/check");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .expect("the folder of this module")
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.starts_with('e') && name.as_bytes()[1].is_ascii_digit())
            .map(|name| name[..4].to_uppercase())
            .collect();
        files.sort();
        let mut codes: Vec<String> = PAGES.iter().map(|page| page.code.to_owned()).collect();
        codes.sort();
        assert_eq!(codes, files);
        assert!(codes.windows(2).all(|pair| pair[0] != pair[1]), "{codes:?}");
    }

    #[test]
    fn every_page_says_what_and_why_and_shows_it_wrong_and_right() {
        for page in PAGES {
            let text = page.markdown();
            assert!(text.starts_with(&format!("# {} ", page.code)), "{}", page.code);
            for part in ["\n**Why**", "\nWrong:", "\nRight:", "\n```yaml\n"] {
                assert!(text.contains(part), "{} has no {part}", page.code);
            }
        }
    }
}
