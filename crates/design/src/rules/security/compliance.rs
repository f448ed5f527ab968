//! # D035 compliance
//! What a regime of compliance asks of this system, and which part of it answers.
//!
//! **Why**: a regime is a list of questions; each must meet a decision, a field or an open point,
//! or the audit finds it first.
//! **Cost**: open points are work. **Instead**: keeping the regulated data out of the system.

use crate::draft::Draft;
use crate::rules::choice::listed;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Authority, Decision, Effect, Stage};

pub(super) const RULE: Rule =
    Rule { id: "D035", name: "compliance", stage: Stage::Security, each: false, decide };

/// Regimes that the catalogue has controls for.
pub(crate) const REGIMES: [&str; 4] = ["gdpr", "hipaa", "pci-dss", "soc2"];

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let regimes = &draft.model.constraints.compliance;
    regimes.iter().map(|regime| one(draft, regime.as_str())).collect()
}

fn one(draft: &Draft<'_>, regime: &str) -> Decision {
    let personal = personal_fields(draft);
    let (answered, open) = controls(draft, regime, &personal);
    let keep_out = keep_out(draft, regime);
    let choice = RULE
        .on(regime, format!("what does {} ask of this system?", regime.to_uppercase()))
        .choose(format!(
            "{} of {} controls answered here, {} open",
            answered.len(),
            answered.len() + open.len(),
            open.len()
        ))
        .number(facts::count("answered controls", answered.len() as f64, "controls", "decisions"))
        .number(facts::count("open controls", open.len() as f64, "controls", "decisions"))
        .alternative(
            keep_out.0,
            keep_out.1,
            vec![facts::count("fields in scope", personal.len() as f64, "fields", "personal")],
        )
        .flips(match open.len() {
            0 => format!("a control of {} beyond these: it is open until it is answered", regime),
            1 => "the open control answered elsewhere: it closes here when the model or a \
                  contract says so"
                .to_owned(),
            many => format!(
                "one of {many} open controls answered elsewhere: it closes here when the model or \
                 a contract says so"
            ),
        })
        .driver(format!("constraints.compliance.{regime}"))
        .authority(Authority::Validates)
        .consult(format!(
            "whoever answers for {} here: {}",
            regime.to_uppercase(),
            if open.is_empty() { "is the list complete?".to_owned() } else { open.join("; ") }
        ))
        .effect(Effect::AdviceOnly);
    let choice = answered.into_iter().fold(choice, |choice, text| choice.because(text));
    let choice =
        open.into_iter().fold(choice, |choice, text| choice.consequence(format!("Open: {text}.")));
    choice.done(draft)
}

/// Controls that a decision or field answers, and those that stay open.
fn controls(draft: &Draft<'_>, regime: &str, personal: &[String]) -> (Vec<String>, Vec<String>) {
    let mut answered = Vec::new();
    let mut open = Vec::new();
    match regime {
        "gdpr" => gdpr(draft, personal, &mut answered, &mut open),
        "pci-dss" => pci(draft, &mut answered, &mut open),
        "hipaa" => hipaa(draft, personal, &mut answered, &mut open),
        "soc2" => {
            answered.push(format!(
                "CC6.1 logical access: {} deny by default, each with the rule it came from.",
                facts::number(draft.contract.operations.len() as f64)
            ));
            open.push("CC7.2 monitoring: somebody must be paged by the SLO alerts".to_owned());
            open.push("CC8.1 changes: reviews of the model must be kept".to_owned());
        }
        other => open.push(format!("the catalogue has no controls for `{other}`")),
    }
    (answered, open)
}

fn gdpr(
    draft: &Draft<'_>,
    personal: &[String],
    answered: &mut Vec<String>,
    open: &mut Vec<String>,
) {
    if personal.is_empty() {
        open.push(
            "no field is marked `personal`: either none is, or none was looked for".to_owned(),
        );
    } else {
        answered.push(format!(
            "Articles 5 and 25, minimisation: marked personal, and so kept out of logs and \
             events: {}.",
            listed(personal)
        ));
    }
    let unlimited = without_retention(draft);
    if unlimited.is_empty() && !personal.is_empty() {
        answered.push(format!(
            "Article 17, erasure: {} each have an end in `rows`.",
            listed(&holders(draft))
        ));
    } else if !unlimited.is_empty() {
        open.push(format!("article 5(1)(e): without retention are {}", listed(&unlimited)));
    }
    if draft.model.constraints.residency.is_empty() {
        open.push("article 44: no `residency` is given, so the region is anybody's".to_owned());
    } else {
        let regions: Vec<&str> =
            draft.model.constraints.residency.iter().map(|one| one.as_str()).collect();
        answered.push(format!("Article 44, transfers: data stays in {}.", listed(&regions)));
    }
    let processors: Vec<String> =
        draft.model.integrations.iter().map(|one| format!("`{}`", one.name.value)).collect();
    if !processors.is_empty() {
        open.push(format!(
            "article 28: a processing agreement with whoever runs {}",
            listed(&processors)
        ));
    }
}

fn pci(draft: &Draft<'_>, answered: &mut Vec<String>, open: &mut Vec<String>) {
    let cards: Vec<String> = draft
        .domain
        .resources()
        .flat_map(|(id, one)| one.fields.iter().map(move |field| (id, field)))
        .filter(|(_, field)| {
            ["card", "pan", "cvv", "iban"]
                .iter()
                .any(|word| field.name.split('_').any(|part| part == *word))
        })
        .map(|(id, field)| format!("`{}.{}`", draft.name(id), field.name))
        .collect();
    if cards.is_empty() {
        answered.push(
            "Requirement 3, stored account data: no field holds a card number; only the \
             provider's references pass through."
                .to_owned(),
        );
    } else {
        open.push(format!("requirement 3: {} look like card data", listed(&cards)));
    }
    let outside: Vec<String> =
        draft.model.integrations.iter().map(|one| format!("`{}`", one.name.value)).collect();
    if !outside.is_empty() {
        answered.push(format!(
            "Requirement 4, transmission: calls of {} go over TLS with a key from the environment.",
            listed(&outside)
        ));
        open.push(format!("requirement 12.8: the attestation of {}", listed(&outside)));
    }
    open.push("requirement 11: a quarterly scan of what is reachable".to_owned());
}

fn hipaa(
    draft: &Draft<'_>,
    personal: &[String],
    answered: &mut Vec<String>,
    open: &mut Vec<String>,
) {
    answered.push(format!(
        "§ 164.312(a), access: {} are open to named actors and roles alone.",
        listed(
            &draft
                .domain
                .roots()
                .map(|(id, _)| format!("`{}`", draft.name(id)))
                .collect::<Vec<_>>()
        )
    ));
    if draft.decided("audit", "system").is_none() {
        answered.push("§ 164.312(b), audit: the audit trail decision answers it.".to_owned());
    }
    if !personal.is_empty() {
        answered.push(format!(
            "§ 164.514, minimum necessary: {} field rules narrow rows further.",
            facts::number(
                draft
                    .domain
                    .resources()
                    .flat_map(|(_, one)| &one.fields)
                    .filter(|field| field.read.is_some())
                    .count() as f64
            )
        ));
    }
    open.push("§ 164.312(a)(2)(iv): encryption of the volume is the platform's switch".to_owned());
    open.push("§ 164.308(b): a business associate agreement with the hoster".to_owned());
}

fn keep_out(draft: &Draft<'_>, regime: &str) -> (&'static str, String) {
    match regime {
        "pci-dss" => (
            "taking card numbers ourselves",
            format!(
                "saves one redirect in the checkout and puts all {} contexts into scope.",
                draft.domain.contexts.len()
            ),
        ),
        _ => (
            "keeping the regulated data in another system",
            format!(
                "{} would then refer to it by id, and every list that shows a name would ask \
                 twice.",
                listed(&holders(draft))
            ),
        ),
    }
}

fn holders(draft: &Draft<'_>) -> Vec<String> {
    let with = draft.domain.resources().filter(|(_, one)| one.fields.iter().any(|f| f.personal));
    let found: Vec<String> = with.map(|(id, _)| format!("`{}`", draft.name(id))).collect();
    if found.is_empty() { vec!["the resources".to_owned()] } else { found }
}

fn personal_fields(draft: &Draft<'_>) -> Vec<String> {
    draft
        .domain
        .resources()
        .flat_map(|(id, one)| {
            let personal = one.fields.iter().filter(|field| field.personal);
            personal.map(move |field| format!("`{}.{}`", draft.name(id), field.name))
        })
        .collect()
}

fn without_retention(draft: &Draft<'_>) -> Vec<String> {
    draft
        .domain
        .resources()
        .filter(|(id, one)| {
            one.fields.iter().any(|field| field.personal) && draft.volume(*id).keep.is_none()
        })
        .map(|(id, _)| format!("`{}`", draft.name(id)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{CLINIC, LINKS, check};
    use expect_test::expect;

    #[test]
    fn each_regime_is_answered_or_left_open() {
        check(
            &RULE,
            CLINIC,
            expect![[r#"
                gdpr: 3 of 4 controls answered here, 1 open
                  flips at the open control answered elsewhere: it closes here when the model or a contract says so
                hipaa: 3 of 5 controls answered here, 2 open
                  flips at one of 2 open controls answered elsewhere: it closes here when the model or a contract says so
            "#]],
        );
    }

    #[test]
    fn no_regime_asks_nothing() {
        check(&RULE, LINKS, expect![""]);
    }
}
