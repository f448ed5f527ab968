//! # D004 versioning
//! Where a client says which version of the API it speaks.
//!
//! **Why**: a break is certain some day; the place of the version decides who notices, and whether
//! caches, logs and links tell versions apart.
//! **Cost**: a prefix in each URL. **Instead**: a header, or a media type.

use crate::draft::Draft;
use crate::rules::choice::{counted, listed};
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Effect, Stage};
use ir::model::Proof;

pub(super) const RULE: Rule =
    Rule { id: "D004", name: "versioning", stage: Stage::Contracts, each: false, decide };

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let domain = draft.domain;
    let keys = domain.actors.iter().filter(|actor| actor.proof == Proof::ApiKey);
    let partners: Vec<String> = keys.map(|actor| format!("`{}`", actor.name)).collect();
    let hooks = draft.model.events.iter().filter(|event| !event.webhook.is_empty());
    let hooks: Vec<&str> = hooks.map(|event| event.name.as_str()).collect();
    let bare = domain.resources.iter().flat_map(|one| &one.routes);
    let bare: Vec<String> = bare.map(|route| format!("`{}`", route.path)).collect();
    let anonymous = draft.contract.operations.iter().filter(|one| one.anonymous).count();
    let paths = draft.contract.operations.len() - bare.len().min(draft.contract.operations.len());
    let header_lost = header(draft, &partners, paths);
    let choice = RULE
        .on("system", "where does a client say which version it speaks?")
        .choose("URL path, `/v1`")
        .because_if(!partners.is_empty(), || {
            format!(
                "{} by API key and with a calendar of its own: the version must be visible in \
                 that code and in our logs.",
                integrate(&partners)
            )
        })
        .because_if(partners.is_empty() && bare.is_empty(), || {
            format!(
                "No actor is a partner with code of its own ({} sign in with a provider), so a \
                 break reaches only clients that are released together with the API.",
                listed(&actors(draft))
            )
        })
        .because_if(!bare.is_empty(), || {
            format!(
                "{} is outside the version: it is printed and shared, so it is a promise for ever \
                 and may only gain meaning.",
                listed(&bare)
            )
        })
        .because_if(!hooks.is_empty(), || {
            format!(
                "{} leave as webhooks; their schemas carry a version of their own, or a partner \
                 breaks without having called.",
                listed(&hooks)
            )
        })
        .number(facts::count("versioned paths", paths as f64, "paths", "contract"))
        .number(facts::count("anonymous operations", anonymous as f64, "operations", "contract"))
        .alternative("header `API-Version`", header_lost, Vec::new())
        .alternative(
            "media type `application/vnd…+json;v=1`",
            format!(
                "{} clients would have to set `Accept` by hand; a browser cannot follow a link so.",
                listed(&actors(draft))
            ),
            Vec::new(),
        )
        .consequence("Two versions run side by side for the time that `Sunset` names.")
        .flips(if partners.is_empty() {
            "an actor with `api_key`: its code reads the version in the path, no choice any more"
                .to_owned()
        } else {
            format!(
                "{} gone: a header would do for clients released with the API",
                listed(&partners)
            )
        })
        .driver("actors")
        .effect(Effect::RunsHere)
        .set("version_in", "path");
    vec![choice.done(draft)]
}

fn integrate(partners: &[String]) -> String {
    match partners {
        [one] => format!("{one} integrates"),
        some => format!("{} integrate, each", listed(some)),
    }
}

/// Why a header loses: what would be cached or forgotten.
fn header(draft: &Draft<'_>, partners: &[String], paths: usize) -> String {
    let resources = draft.model.contexts.iter().flat_map(|context| &context.resources);
    let cached = resources.filter(|resource| resource.cache.is_some());
    let cached: Vec<String> = cached.map(|resource| format!("`{}`", resource.name)).collect();
    match (partners, cached.as_slice()) {
        ([], []) => format!(
            "{} would look alike in every log and link; the version shows only in a header.",
            counted(paths as f64, "path", "paths")
        ),
        (_, [_, ..]) => format!(
            "{} would be cached by URL, and every cache in front must then honour `Vary: \
             API-Version` or serve one version's body to the other.",
            listed(&cached)
        ),
        (partners, []) => format!(
            "{} reads contracts in code that Mainstay never sees; a forgotten header would \
             silently mean the newest version.",
            listed(partners)
        ),
    }
}

fn actors(draft: &Draft<'_>) -> Vec<String> {
    draft.domain.actors.iter().map(|actor| format!("`{}`", actor.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{LINKS, SHOP, check};
    use expect_test::expect;

    #[test]
    fn partners_see_the_version_in_the_path() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
                system: URL path, `/v1`
                  flips at `partner` gone: a header would do for clients released with the API
            "#]],
        );
    }

    #[test]
    fn a_public_path_stays_outside_the_version() {
        check(
            &RULE,
            LINKS,
            expect![[r#"
                system: URL path, `/v1`
                  flips at an actor with `api_key`: its code reads the version in the path, no choice any more
            "#]],
        );
    }
}
