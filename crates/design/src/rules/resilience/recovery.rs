//! # D041 recovery
//! How acknowledged work survives, and how long it takes until it is served again.
//!
//! **Why**: a standby helps against a broken machine and not against a wrong `DELETE`; a backup the
//! other way round. The recovery goal says which loss and which wait are allowed.
//! **Cost**: every commit waits for a second machine where nothing may be lost.
//! **Instead**: an asynchronous copy, or last night's backup.

use crate::capacity::Term;
use crate::draft::inputs::Knob;
use crate::draft::{Draft, dependability};
use crate::rules::Choice;
use crate::rules::choice::listed;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Effect, Stage};
use ir::quantity::{Computed, Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D041", name: "recovery", stage: Stage::Resilience, each: false, decide };

/// Days that a point in time can be gone back to.
const BACK_DAYS: f64 = 14.0;

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let (rpo, rto) = (draft.input(Knob::Rpo), draft.input(Knob::Rto));
    let restore = restore(draft);
    let choice = RULE
        .on("system", format!("what survives a lost machine, within {}?", rto.print()))
        .driver("goals.recovery")
        .number(restore.clone());
    let choice = if draft.flag("standby") {
        standby(choice, draft, &restore)
    } else if draft.word("database") == "sqlite" {
        file(choice, draft, &restore)
    } else {
        backup(choice, draft, &restore)
    };
    let choice = choice
        .alternative(
            "a nightly dump",
            format!(
                "up to a day of work, {} writes in the mean, against {} allowed.",
                facts::number(
                    (draft.load.writes() / draft.value(Knob::PeakToMean) * 86_400.0).round()
                ),
                rpo.print()
            ),
            vec![],
        )
        .consequence(format!(
            "A restore is rehearsed each quarter: {} is arithmetic until it was done once.",
            facts::time(restore.value)
        ))
        .grade(rpo.grade())
        .grade(rto.grade());
    vec![choice.done(draft)]
}

fn standby(choice: Choice, draft: &Draft<'_>, restore: &Computed) -> Choice {
    let wait = draft.catalog.value("sync_write");
    let failover = draft.catalog.value("failover");
    let rto = draft.value(Knob::Rto);
    let writes = draft.load.writes();
    let lag =
        (Term::input("writes", writes, Unit::PerSecond, Grade::Derived, "workload at goals.peak")
            * Term::input(
                "lag",
                1.0,
                Unit::Seconds,
                Grade::Assumed,
                "an asynchronous copy under load",
            ))
        .named("writes lost with the machine", Unit::One);
    choice
        .choose(format!("synchronous standby, and {BACK_DAYS} days of point-in-time backup"))
        .because(format!(
            "A standby takes over in {}, inside the {} allowed; restoring {} from a backup would \
             take {}.",
            facts::time(failover),
            facts::time(rto),
            facts::bytes(draft.bytes()),
            facts::time(restore.value)
        ))
        .because(format!(
            "`rpo` of {}: each of {} at the peak waits {} more for the second machine.",
            facts::time(draft.value(Knob::Rpo)),
            facts::rps(writes),
            facts::time(wait)
        ))
        .alternative(
            "asynchronous standby",
            format!(
                "saves {} a write, and loses up to {} acknowledged writes with the machine.",
                facts::time(wait),
                facts::number(lag.value.ceil())
            ),
            vec![lag],
        )
        .consequence(
            "The backup is for mistakes: the standby repeats a wrong `DELETE` within milliseconds.",
        )
        .flips(format!("{}: shipping the log, for half the database", without_standby(draft)))
        .effect(Effect::AdviceOnly)
        .set("backup_seconds", 300.0)
}

/// The goals that would have to be weaker for one database server to do: those that are not yet.
fn without_standby(draft: &Draft<'_>) -> String {
    let alone = dependability::composed(draft, true, false, dependability::careful(draft)).value;
    let by_hand = draft.catalog.value("promote_by_hand");
    let mut weaker = Vec::new();
    if draft.value(Knob::Availability) > alone {
        let share = facts::share_beside(alone, draft.value(Knob::Availability));
        weaker.push(format!("an availability of {share} or less"));
    }
    if draft.value(Knob::Rpo) <= 0.0 {
        weaker.push("an rpo above 0 s".to_owned());
    }
    if draft.value(Knob::Rto) < by_hand {
        weaker.push(format!("an rto of {} or more", facts::time(by_hand)));
    }
    if weaker.is_empty() {
        return "`decisions: database` without the standby that it pins".to_owned();
    }
    listed(&weaker)
}

fn file(choice: Choice, draft: &Draft<'_>, restore: &Computed) -> Choice {
    let rpo = draft.value(Knob::Rpo);
    let rto = draft.value(Knob::Rto);
    let repair = draft.catalog.value("data_node_repair");
    let files = if draft.tenants() { draft.value(Knob::Tenants) } else { 1.0 };
    let holds = repair + restore.value <= rto;
    choice
        .choose(format!("`mainstay backup` every {}, kept elsewhere", facts::time(rpo.max(60.0))))
        .because(format!(
            "The file is copied while it serves; what is lost with the machine is what came since \
             the last copy: {} at most, {} allowed.",
            facts::time(rpo.max(60.0)),
            facts::time(rpo)
        ))
        .because(format!(
            "A person needs {} to bring another machine and {} for {}: {} {} allowed.",
            facts::time(repair),
            facts::time(restore.value),
            facts::bytes(draft.bytes()),
            if holds { "within the" } else { "longer than the" },
            facts::time(rto)
        ))
        .because_if(files > 1.0 && draft.flag("tenant_files"), || {
            format!(
                "{} files are restored one by one, the urgent tenant first.",
                facts::number(files)
            )
        })
        .alternative(
            "PostgreSQL with a standby",
            format!(
                "{} instead of {}, for a second machine.",
                facts::time(draft.catalog.value("failover")),
                facts::time(repair + restore.value)
            ),
            vec![],
        )
        .flips(match (holds, rpo > 0.0) {
            (true, true) => format!(
                "an rpo of 0 s, or an rto below {}: PostgreSQL with a standby",
                facts::time(repair + restore.value)
            ),
            (false, true) => "an rpo of 0 s: PostgreSQL with a standby".to_owned(),
            (true, false) => format!(
                "an rto below {}: PostgreSQL with a standby",
                facts::time(repair + restore.value)
            ),
            (false, false) => {
                "PostgreSQL with a standby, as the goals ask: nothing is lost".to_owned()
            }
        })
        .effect(Effect::RunsHere)
        .set("backup_seconds", rpo.max(60.0))
}

fn backup(choice: Choice, draft: &Draft<'_>, restore: &Computed) -> Choice {
    let rpo = draft.value(Knob::Rpo);
    let by_hand = draft.catalog.value("promote_by_hand");
    choice
        .choose(format!("log shipped every {}, {BACK_DAYS} days kept", facts::time(rpo.max(60.0))))
        .because(format!(
            "{} may be lost and {} may pass: noticing and restoring take {} and {}.",
            facts::time(rpo),
            facts::time(draft.value(Knob::Rto)),
            facts::time(by_hand),
            facts::time(restore.value)
        ))
        .alternative(
            "synchronous standby",
            format!(
                "twice the database for {} instead of {}.",
                facts::time(draft.catalog.value("failover")),
                facts::time(by_hand + restore.value)
            ),
            vec![],
        )
        .flips(match (draft.value(Knob::Rto) >= by_hand, rpo > 0.0) {
            (true, true) => {
                format!("rto below {}, or an rpo of 0 s: a standby", facts::time(by_hand))
            }
            (false, true) => "an rpo of 0 s: a standby".to_owned(),
            (true, false) => format!("rto below {}: a standby", facts::time(by_hand)),
            (false, false) => {
                "`decisions: database` with a standby: what the goals ask for".to_owned()
            }
        })
        .effect(Effect::AdviceOnly)
        .set("backup_seconds", rpo.max(60.0))
}

fn restore(draft: &Draft<'_>) -> Computed {
    let bytes = Term::input(
        "bytes",
        draft.bytes(),
        Unit::Bytes,
        Grade::Assumed,
        "all tables at the horizon",
    );
    (bytes / draft.fact("restore_rate")).named("a restore", Unit::Seconds)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{NOTES, SHOP, check};
    use expect_test::expect;

    #[test]
    fn nothing_lost_means_a_synchronous_standby() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
                system: synchronous standby, and 14 days of point-in-time backup
                  flips at an availability of 99.9 % or less, an rpo above 0 s and an rto of 30 min or more: shipping the log, for half the database
            "#]],
        );
    }

    #[test]
    fn minutes_may_be_lost_from_a_copied_file() {
        check(
            &RULE,
            NOTES,
            expect![[r#"
                system: `mainstay backup` every 5 min, kept elsewhere
                  flips at an rpo of 0 s, or an rto below 60 min: PostgreSQL with a standby
            "#]],
        );
    }
}
