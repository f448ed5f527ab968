//! # D034 personal_data
//! What is done with fields that speak of a person.
//!
//! **Why**: what is known about a person must be shown to them, erased for them, and kept out of
//! logs, events and traces, where nobody would find it again.
//! **Cost**: erasure leaves rows with gaps. **Instead**: encryption with a key for each person.

use crate::draft::Draft;
use crate::draft::YEAR_SECONDS;
use crate::rules::Choice;
use crate::rules::choice::listed;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Authority, Decision, Effect, Stage};
use ir::domain::{Resource, ResourceId};

pub(super) const RULE: Rule =
    Rule { id: "D034", name: "personal_data", stage: Stage::Security, each: true, decide };

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    draft.domain.resources().filter_map(|(id, resource)| one(draft, id, resource)).collect()
}

fn one(draft: &Draft<'_>, id: ResourceId, resource: &Resource) -> Option<Decision> {
    let fields: Vec<String> = resource
        .fields
        .iter()
        .filter(|field| field.personal)
        .map(|field| format!("`{}`", field.name))
        .collect();
    if fields.is_empty() {
        return None;
    }
    let name = draft.name(id);
    let volume = draft.volume(id);
    let erase = erases(draft, resource);
    let kept = volume.keep;
    let end = match (kept, erase) {
        (Some(time), true) => format!("erased after {} while the rest stays", facts::time(time)),
        (Some(time), false) => format!("deleted with the row after {}", facts::time(time)),
        (None, _) => "kept until somebody asks".to_owned(),
    };
    let rows = volume.rows.clone();
    let mut choice = RULE
        .on(&name, format!("what happens to what `{name}` knows about a person?"))
        .choose(format!("{} redacted in logs and events; {end}", listed(&fields)))
        .because(format!(
            "About {} rows hold it at the end of the horizon.",
            facts::number(rows.value)
        ))
        .because_if(kept.is_none() && draft.complies("gdpr"), || {
            format!(
                "No retention is given for `{name}`: GDPR article 5(1)(e) asks for one; add \
                 `rows: …, keep …`."
            )
        })
        .because_if(kept.is_some_and(|time| time > 6.5 * YEAR_SECONDS), || {
            format!(
                "{} is the length of a duty to keep books or records; without that duty it is too \
                 long.",
                facts::time(kept.unwrap_or_default())
            )
        })
        .number(rows)
        .consequence(format!(
            "No event, log line or trace may carry {}; a search for it leaves only the field's \
             name in the log.",
            listed(&fields)
        ))
        .driver(format!("contexts.*.resources.{}.fields", resource.name))
        .authority(Authority::Validates)
        .consult("the data protection officer: is there a duty to keep it, and for how long?")
        .effect(if kept.is_some() { Effect::FilesOnly } else { Effect::RunsHere });
    choice = choice.flips(match kept {
        Some(time) => {
            format!("a duty to keep it for longer than {}: `keep` follows it", facts::time(time))
        }
        None => format!("`rows: …, keep …` on `{name}`: it ends without being asked for"),
    });
    if draft.complies("gdpr") {
        choice = choice.driver("constraints.compliance.gdpr");
    }
    if let Some(time) = kept {
        choice = choice.set("keep_seconds", time);
    }
    Some(others(choice, &name, &fields).done(draft))
}

fn others(choice: Choice, name: &str, fields: &[String]) -> Choice {
    choice
        .alternative(
            "a key for each person, thrown away to erase",
            format!("{} could then no longer be filtered, sorted or searched.", listed(fields)),
            Vec::new(),
        )
        .alternative(
            "a table of persons beside the rows",
            format!("each read of `{name}` would join it; erasure would be one row."),
            Vec::new(),
        )
}

/// Whether `rows` erases the personal fields and keeps the rest.
fn erases(draft: &Draft<'_>, resource: &Resource) -> bool {
    let context = draft.model.contexts.get(resource.context.index());
    let written = context.into_iter().flat_map(|context| &context.resources);
    let mut written = written.filter(|one| one.name.value == resource.name);
    written.any(|one| one.rows.as_ref().is_some_and(|rows| rows.then_erase_personal))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{CLINIC, NOTES, check};
    use expect_test::expect;

    #[test]
    fn a_personal_field_has_an_end() {
        check(
            &RULE,
            CLINIC,
            expect![[r#"
                people.Patient: `name`, `born`, `email`, `phone` and 1 more redacted in logs and events; erased after 30 years while the rest stays
                  flips at a duty to keep it for longer than 30 years: `keep` follows it
                scheduling.Appointment: `reason` redacted in logs and events; erased after 3 years while the rest stays
                  flips at a duty to keep it for longer than 3 years: `keep` follows it
                records.Entry: `summary` and `detail` redacted in logs and events; deleted with the row after 10 years
                  flips at a duty to keep it for longer than 10 years: `keep` follows it
            "#]],
        );
    }

    #[test]
    fn without_personal_fields_there_is_nothing_to_decide() {
        check(&RULE, NOTES, expect![[""]]);
    }
}
