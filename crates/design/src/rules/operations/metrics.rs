//! # D064 metrics
//! Which labels metrics carry.
//!
//! **Why**: each combination of labels is a series that is kept and paid. Operation and status
//! answer who suffers; a tenant or row id as a label multiplies all of it.
//! **Cost**: one tenant's trouble is looked up in the logs. **Instead**: a label for each tenant.

use crate::capacity::Term;
use crate::draft::Draft;
use crate::draft::inputs::Knob;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Effect, Stage};
use ir::quantity::{Computed, Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D064", name: "metrics", stage: Stage::Operations, each: false, decide };

/// Classes of status that occur: 2xx, 3xx, 4xx, 5xx.
const CLASSES: f64 = 4.0;
/// Buckets of a latency histogram.
const BUCKETS: f64 = 14.0;
/// Series that one Prometheus server keeps without being tuned.
const SERIES_MAX: f64 = 1_000_000.0;

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let operations = draft.contract.operations.len() as f64;
    let replicas = draft.number("replicas", "system").unwrap_or(2.0);
    let own = series(operations, replicas);
    let tenants = draft.value(Knob::Tenants);
    let by_tenant = (Term::from(&own) * draft.input(Knob::Tenants)).named("series", count());
    let many = by_tenant.value > SERIES_MAX / 10.0;
    let label = draft.tenants() && !many && tenants <= 50.0;
    let mut choice = RULE
        .on("system", "which labels do metrics carry?")
        .choose(if label {
            "operation, status class, and tenant on the request count alone"
        } else {
            "operation and status class"
        })
        .because(format!(
            "{} operations of `{}` on {} make {} series.",
            facts::number(operations),
            draft.domain.system,
            crate::rules::choice::counted(replicas, "replica", "replicas"),
            facts::number(own.value)
        ))
        .because_if(label, || {
            format!(
                "{} tenants on the request count add {} series, and show who is meant when \
                 somebody calls.",
                facts::number(tenants),
                facts::number(tenants * replicas * CLASSES)
            )
        })
        .number(own.clone())
        .consequence(
            "Rates, errors, durations for each operation; utilisation, saturation, errors for the \
             writer, the pools and the queues.",
        )
        .flips(format!(
            "more than {} series ({} now): fewer buckets or fewer labels",
            facts::number(SERIES_MAX),
            facts::number(own.value)
        ))
        .driver("contexts")
        .effect(if label { Effect::AdviceOnly } else { Effect::RunsHere });
    if draft.tenants() {
        choice = choice.alternative(
            "the tenant as a label everywhere",
            format!(
                "{} series for {} tenants.",
                facts::number(by_tenant.value),
                facts::number(tenants)
            ),
            vec![by_tenant],
        );
    } else {
        choice = choice.alternative(
            "the path as a label",
            "a series for each id that anybody ever asked for.",
            Vec::new(),
        );
    }
    vec![choice.done(draft)]
}

fn count() -> Unit {
    Unit::Count("series".to_owned())
}

fn series(operations: f64, replicas: f64) -> Computed {
    let input = |name: &str, value, source: &str| {
        Term::input(name, value, Unit::One, Grade::Derived, source)
    };
    (input("operations", operations, "contract")
        * (input("classes", CLASSES, "2xx, 3xx, 4xx, 5xx")
            + input("buckets", BUCKETS, "of the latency histogram"))
        * input("replicas", replicas, "the replicas decision"))
    .named("series", count())
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{LINKS, SHOP, check};
    use expect_test::expect;

    #[test]
    fn few_tenants_may_be_a_label() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
                system: operation, status class, and tenant on the request count alone
                  flips at more than 1,000,000 series (792 now): fewer buckets or fewer labels
            "#]],
        );
    }

    #[test]
    fn without_tenants_there_is_none() {
        check(
            &RULE,
            LINKS,
            expect![[r#"
                system: operation and status class
                  flips at more than 1,000,000 series (360 now): fewer buckets or fewer labels
            "#]],
        );
    }
}
