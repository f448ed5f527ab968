//! Faults of meaning: [`check`] resolves a model, asks every question of it and is the only maker
//! of a valid one. Each code is one file: its page, its question and its test.

mod place;
pub(crate) mod resolve;
mod suggest;
#[cfg(test)]
mod testing;
pub(crate) mod typing;
pub(crate) mod world;

mod e031_unknown_actor;
mod e032_unknown_role;
mod e033_unknown_context;
mod e034_unknown_resource;
mod e035_unknown_field;
mod e036_unknown_name;
mod e037_unknown_value;
mod e038_unknown_event;
mod e041_unknown_workflow;
mod e042_ambiguous_resource;
mod e046_operands;
mod e047_wrong_type;
mod e048_call;
mod e049_not_here;
mod e050_foreign_me;
mod e051_other_aggregate;
mod e052_too_large;
mod e053_pattern;
mod e055_rule_cycle;
mod e056_bounds;
mod e059_at;
mod e060_not_settable;
mod e064_never_overlap;
mod e094_routes;

use ir::diagnostic::{Page, has_errors};
use ir::{Diagnostic, Model, Valid};
use resolve::{Resolved, resolve};
use std::collections::BTreeSet;

/// A question asked of a whole model.
type Check = fn(&Resolved<'_>, &mut Vec<Diagnostic>);

/// The one list of codes: those told while names and types are resolved, and those that are asked
/// afterwards. The name of the file is all that a new code needs here.
macro_rules! codes {
    (resolving: $($raised:ident),+; asked: $($asked:ident),+;) => {
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
        ];

        const CHECKS: &[Check] = &[$($asked::check),+];
    };
}

codes! {
    resolving:
        e031_unknown_actor, e032_unknown_role, e033_unknown_context, e034_unknown_resource,
        e035_unknown_field, e036_unknown_name, e037_unknown_value, e038_unknown_event,
        e041_unknown_workflow, e042_ambiguous_resource, e046_operands, e047_wrong_type,
        e048_call, e049_not_here, e050_foreign_me, e051_other_aggregate, e052_too_large,
        e053_pattern, e055_rule_cycle, e056_bounds, e059_at, e060_not_settable,
        e064_never_overlap;
    asked:
        e094_routes;
}

/// Tells every fault of meaning, in the order of the files; the model is valid where none of them
/// is an error.
pub fn check(model: Model) -> (Option<Valid<Model>>, Vec<Diagnostic>) {
    let mut found = Vec::new();
    let resolved = resolve(&model, &mut found);
    for check in CHECKS {
        check(&resolved, &mut found);
    }
    let mut told = BTreeSet::new();
    found.retain(|fault| told.insert((fault.primary.span, fault.code, fault.message.clone())));
    found.sort_by_key(|fault| (fault.primary.span, fault.code));
    if has_errors(&found) {
        return (None, found);
    }
    (Some(Valid::vouch(model)), found)
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
    fn every_page_says_what_and_why() {
        for page in PAGES {
            let text = page.markdown();
            assert!(text.starts_with(&format!("# {} ", page.code)), "{}", page.code);
            assert!(text.contains("**Why**"), "{} does not say why", page.code);
            assert!(text.lines().count() >= 5, "{} is too short", page.code);
        }
    }
}
