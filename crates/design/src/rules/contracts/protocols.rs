//! # D003 protocols
//! Which protocols the operations are served over.
//!
//! **Why**: each protocol is a contract that has to be kept. One that no caller needs is only cost.
//! **Cost**: another contract, another explorer, another set of limits. **Instead**: REST alone,
//! GraphQL where screens join much, gRPC between services of one owner.

use crate::capacity::Term;
use crate::draft::Draft;
use crate::rules::choice::{counted, listed};
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Effect, Stage};
use ir::model::Proof;
use ir::quantity::{Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D003", name: "protocols", stage: Stage::Contracts, each: false, decide };

/// Seconds that a screen may spend on waiting for the network.
const PATIENCE_SECONDS: f64 = 0.5;

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let operations = draft.contract.operations.len() as f64;
    let public = routes(draft);
    let actors: Vec<String> =
        draft.domain.actors.iter().map(|actor| format!("`{}`", actor.name)).collect();
    let per_journey = draft.load.requests_per_journey;
    let grade = if draft.load.assumed { Grade::Assumed } else { Grade::Given };
    let trips = Term::input("requests_per_journey", per_journey, Unit::One, grade, "workload");
    let trip = draft.fact("client_trip");
    let waiting = (trips * trip).named("network wait of a journey", Unit::Seconds);
    let once = (Term::number(1.0) * draft.fact("client_trip"))
        .named("network wait of a journey", Unit::Seconds);
    let saved = waiting.value - once.value;
    let mut choice = RULE
        .on("system", format!("over which protocols do {} call?", listed(&actors)))
        .choose("REST with OpenAPI 3.1")
        .because(callers(draft, operations))
        .because_if(!public.is_empty(), || {
            format!("{} must answer a browser that knows nothing of the API.", listed(&public))
        })
        .because_if(cached(draft) > 0.0, || {
            format!(
                "{} of the requests are reads by URL that an HTTP cache can answer; a POST to \
                 `/graphql` cannot be cached so.",
                facts::about(cached(draft))
            )
        })
        .number(count(operations))
        .number(waiting)
        .driver("actors")
        .driver("workload")
        .effect(Effect::RunsHere)
        .set("protocol", "rest");
    choice = choice.alternative(
        "GraphQL",
        format!(
            "a mean journey makes {} requests; one query instead would save {} of {} on a phone, \
             and costs limits on depth and complexity that REST does not need.",
            facts::number(per_journey),
            facts::time(saved.max(0.0)),
            facts::time(waiting_of(draft, per_journey)),
        ),
        vec![once],
    );
    choice = choice.alternative(
        "gRPC",
        if draft.number("units", "system").unwrap_or(1.0) > 1.0 {
            "fits the calls between the units, not callers in browsers.".to_owned()
        } else {
            format!(
                "one unit has nobody to call inside, and {} would need a proxy in a browser.",
                listed(&actors)
            )
        },
        Vec::new(),
    );
    choice = choice.flips(format!(
        "journeys of more than {} requests ({} now): a screen then waits longer than half a \
         second, and GraphQL beside REST is worth its limits",
        facts::number((PATIENCE_SECONDS / draft.catalog.value("client_trip")).floor()),
        facts::number(per_journey)
    ));
    vec![choice.done(draft)]
}

/// Who calls from where: people through browsers and phones, programs of partners.
fn callers(draft: &Draft<'_>, operations: f64) -> String {
    let of = |proof: Proof| -> Vec<String> {
        let actors = draft.domain.actors.iter().filter(|actor| actor.proof == proof);
        actors.map(|actor| format!("`{}`", actor.name)).collect()
    };
    let (people, programs) = (of(Proof::Oidc), of(Proof::ApiKey));
    let all = counted(operations, "operation", "operations");
    match (people.as_slice(), programs.as_slice()) {
        (people, []) => format!(
            "{} call from browsers and phones: JSON over HTTP is what these speak without a \
             library, and {all} need no more.",
            listed(people)
        ),
        ([], programs) => format!(
            "{} are programs whose language we do not choose: {all} over plain HTTP need no stub \
             of ours.",
            listed(programs)
        ),
        (people, programs) => format!(
            "{} call from browsers and phones, {} from programs whose language we do not choose: \
             JSON over HTTP is what all of them speak.",
            listed(people),
            listed(programs)
        ),
    }
}

fn waiting_of(draft: &Draft<'_>, requests: f64) -> f64 {
    requests * draft.catalog.value("client_trip")
}

fn count(operations: f64) -> ir::quantity::Computed {
    facts::count("operations", operations, "operations", "contract")
}

/// Public paths of resources.
fn routes(draft: &Draft<'_>) -> Vec<String> {
    let resources = draft.domain.resources.iter();
    resources.flat_map(|one| one.routes.iter().map(|route| format!("`{}`", route.path))).collect()
}

/// Share of the clients' requests that read one thing by its URL.
fn cached(draft: &Draft<'_>) -> f64 {
    use crate::draft::load::Work;
    let flows = draft.load.flows.iter().filter(|flow| !flow.internal);
    let reads = flows.filter(|flow| matches!(flow.work, Work::Get | Work::Redirect));
    reads.map(|flow| flow.rate.value).sum::<f64>() / draft.load.clients().max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{NOTES, SHOP, check};
    use expect_test::expect;

    #[test]
    fn people_and_programs_share_rest() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
                system: REST with OpenAPI 3.1
                  flips at journeys of more than 8 requests (2.8 now): a screen then waits longer than half a second, and GraphQL beside REST is worth its limits
            "#]],
        );
    }

    #[test]
    fn a_system_without_a_workload_is_rest_too() {
        check(
            &RULE,
            NOTES,
            expect![[r#"
                system: REST with OpenAPI 3.1
                  flips at journeys of more than 8 requests (1 now): a screen then waits longer than half a second, and GraphQL beside REST is worth its limits
            "#]],
        );
    }
}
