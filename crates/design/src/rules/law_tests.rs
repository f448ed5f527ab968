//! Laws that hold for the decisions of every rule, and for the design as a whole.

use crate::draft::inputs::{Inputs, Knob};
use crate::draft::{Draft, Ground, bill};
use crate::tests::{CLINIC, KIOSK, LINKS, NOTES, SHOP, decided, designed, valid, with};
use crate::{Catalog, lower, stages};
use ir::decision::Decision;
use std::collections::{BTreeMap, BTreeSet};

const MODELS: [(&str, &str); 5] =
    [("shop", SHOP), ("links", LINKS), ("clinic", CLINIC), ("kiosk", KIOSK), ("notes", NOTES)];

fn all() -> Vec<(&'static str, Vec<Decision>)> {
    MODELS.iter().map(|(name, text)| (*name, decided(text))).collect()
}

fn sentences(decision: &Decision) -> Vec<&String> {
    let lost = decision.alternatives.iter().map(|other| &other.lost);
    decision.because.iter().chain(lost).chain(&decision.consequences).collect()
}

#[test]
fn every_decision_answers_a_question_with_reasons_alternatives_and_a_threshold() {
    let mut faults = Vec::new();
    for (model, decisions) in all() {
        for one in decisions {
            let parts = [
                ("question", one.question.is_empty()),
                ("choice", one.choice.is_empty()),
                ("because", one.because.is_empty()),
                ("alternatives", one.alternatives.is_empty()),
                ("flips_at", one.flips_at.is_empty()),
                ("drivers", one.drivers.is_empty()),
            ];
            let missing = parts.iter().filter(|(_, missing)| *missing).map(|(part, _)| *part);
            let missing: Vec<&str> = missing.collect();
            if !missing.is_empty() {
                faults.push(format!(
                    "{model} {} {}: {}",
                    one.rule,
                    one.subject,
                    missing.join(", ")
                ));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_reason_reads_the_same_for_another_system() {
    let mut met: BTreeMap<(&str, String), BTreeSet<&str>> = BTreeMap::new();
    for (model, decisions) in all() {
        for one in decisions {
            for reason in one.because {
                met.entry((one.rule, reason)).or_default().insert(model);
            }
        }
    }
    let filler: Vec<String> = met
        .into_iter()
        .filter(|(_, models)| models.len() > 1)
        .map(|((rule, reason), models)| format!("{rule} {models:?}: {reason}"))
        .collect();
    assert!(filler.is_empty(), "{}", filler.join("\n"));
}

#[test]
fn sentences_end_and_numbers_are_numbers() {
    let mut faults = Vec::new();
    for (model, decisions) in all() {
        for one in decisions {
            let place = format!("{model} {} {}", one.rule, one.subject);
            for text in sentences(&one) {
                if !text.ends_with(['.', '?', ':']) {
                    faults.push(format!("{place} does not end: {text}"));
                }
            }
            let flips = one.flips_at.iter();
            for text in flips.chain(sentences(&one)).chain([&one.choice, &one.question]) {
                let odd = ["NaN", "inf ", "unbounded", "undefined", "  ", " -0", "{}", "``"];
                if odd.iter().any(|odd| text.contains(odd)) {
                    faults.push(format!("{place} is odd: {text}"));
                }
            }
            let others = one.alternatives.iter().flat_map(|other| &other.numbers);
            for number in one.numbers.iter().chain(others) {
                if !number.value.is_finite() || number.value < 0.0 {
                    faults.push(format!("{place} has a bad number: {} {number}", number.name));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_rule_decides_once_on_a_subject() {
    for (model, decisions) in all() {
        let mut met = BTreeSet::new();
        for one in decisions {
            assert!(
                met.insert((one.rule, one.subject.clone())),
                "{model} {} {}",
                one.rule,
                one.subject
            );
        }
    }
}

#[test]
fn the_same_model_gives_the_same_architecture() {
    let model = valid(KIOSK);
    assert_eq!(crate::design(&model), crate::design(&model));
}

#[test]
fn goals_that_cannot_hold_are_found_with_a_cure_and_those_that_hold_are_not() {
    let goals = |text: &str| -> Vec<(String, usize)> {
        let found = designed(text);
        found.infeasible.iter().map(|one| (one.goal.clone(), one.cures.len())).collect()
    };
    assert_eq!(
        goals(KIOSK),
        [("goals.budget".to_owned(), 2), ("integrations.terminal.limit".to_owned(), 3)]
    );
    assert_eq!(goals(SHOP), []);
}

#[test]
fn each_cure_of_a_budget_makes_it_feasible() {
    let budget_holds =
        |text: &str| designed(text).infeasible.iter().all(|one| one.goal != "goals.budget");
    let architecture = designed(KIOSK);
    let found = architecture.infeasible.iter().find(|one| one.goal == "goals.budget");
    let cures = &found.expect("40 USD do not pay for two nodes and a standby").cures;
    let raised = cures.iter().find_map(|cure| cure.strip_prefix("`budget: ")?.split('`').next());
    let raised = raised.expect("one of the cures is a larger budget");
    assert!(budget_holds(&with(KIOSK, "40 USD per month", raised)), "{raised}");
    assert!(cures.iter().any(|cure| cure.contains("availability: 99.88 %")), "{cures:?}");
    let weaker = with(KIOSK, "availability: 99.95%", "availability: 99.88%");
    let weaker = with(&weaker, "{ rpo: 0 s, rto: 10 min }", "{ rpo: 5 min, rto: 4 h }");
    assert!(budget_holds(&weaker));
}

#[test]
fn a_goal_that_no_pair_reaches_names_what_would() {
    let hard = with(CLINIC, "availability: 99.99%", "availability: 99.9999%");
    let architecture = designed(&hard);
    let found = architecture.infeasible.iter().find(|one| one.goal == "goals.availability");
    let found = found.expect("six nines cannot hold in one region");
    assert!(found.cures.iter().any(|cure| cure.contains("second region")), "{found:?}");
}

#[test]
fn what_is_missing_is_assumed_and_what_is_given_is_not() {
    let paths = |text: &str| -> Vec<String> {
        designed(text).assumptions.iter().map(|one| one.path.clone()).collect()
    };
    let shop = paths(SHOP);
    assert!(shop.contains(&"goals.peak_to_mean".to_owned()), "{shop:?}");
    assert!(!shop.contains(&"goals.peak".to_owned()), "{shop:?}");
    assert!(paths(NOTES).contains(&"goals.peak".to_owned()));
    assert!(!paths(LINKS).contains(&"goals.peak_to_mean".to_owned()));
}

#[test]
fn a_model_that_disagrees_with_itself_is_told_so_first() {
    let architecture = designed(SHOP);
    let first = architecture.assumptions.first().expect("the shop leaves much open");
    assert_eq!(first.path, "contexts.ordering.resources.Order.rows");
    assert!(first.moves.0 > 1.0, "{first:?}");
}

#[test]
fn a_pin_overrules_and_says_what_it_costs() {
    let pinned = format!(
        "{NOTES}decisions:\n  database: {{ choose: PostgreSQL, because: the platform runs it }}\n"
    );
    let decisions = decided(&pinned);
    let found = decisions.iter().find(|one| one.name == "database").expect("it always decides");
    let pin = found.pinned.as_ref().expect("the model pins it");
    assert_eq!(found.choice, "PostgreSQL");
    assert_eq!(pin.instead_of, "SQLite, in the process");
    assert_eq!(pin.because, "the platform runs it");
    assert!(pin.cost.starts_with("monthly cost beside the application: "), "{}", pin.cost);
    assert!(found.consequences.iter().all(|one| !one.starts_with("One machine")), "{found:?}");
    let lost = &found.alternatives[0].lost;
    assert!(lost.starts_with("the architect's choice, overruled by the model (for it: "), "{lost}");
    assert!(found.because.is_empty(), "the reasons were for the other: {found:?}");
    assert!(
        decisions.iter().any(|one| one.choice.contains("4 for each node")),
        "later stages follow"
    );
}

/// Replicas and the bill without what is sampled, at a factor of the peak.
fn sized(text: &str, factor: f64) -> (f64, f64) {
    let model = valid(text);
    let domain = lower::domain(&model);
    let contract = lower::contract(&domain);
    let schema = lower::schema(&model, &domain);
    let catalog = Catalog::default();
    let ground = Ground {
        model: &model,
        domain: &domain,
        contract: &contract,
        schema: &schema,
        catalog: &catalog,
    };
    let inputs = Inputs::read(&model);
    let peak = inputs.value(Knob::Peak) * factor;
    let draft = stages::run(Draft::new(ground, inputs.with(Knob::Peak, peak)), false);
    let replicas = draft.number("replicas", "system").expect("replicas are always decided");
    // Samples of logs and traces thin in steps of ten, so their lines alone may fall.
    let lines = bill::lines(&draft, 1.0).into_iter();
    let solid = lines.filter(|line| !["logs", "traces"].contains(&line.name.as_str()));
    (replicas, solid.map(|line| line.value).sum())
}

#[test]
fn more_requests_never_mean_fewer_replicas_or_a_smaller_bill() {
    for (name, text) in MODELS {
        let mut last = (0.0, 0.0);
        for step in 0..24 {
            let now = sized(text, 0.25 * 1.5_f64.powi(step));
            assert!(
                now.0 >= last.0 && now.1 >= last.1 - 1e-6,
                "{name} at step {step}: {last:?}, {now:?}"
            );
            last = now;
        }
    }
}

#[test]
fn the_order_of_the_journeys_changes_no_decision() {
    let moved = with(
        LINKS,
        "  shorten: { share: 0.3%, as: maker, steps: [create Link] }\n  mend: { share: 0.6%, as: maker, steps: [update Link] }\n",
        "  mend: { share: 0.6%, as: maker, steps: [update Link] }\n  shorten: { share: 0.3%, as: maker, steps: [create Link] }\n",
    );
    let choices = |text: &str| -> Vec<(String, String)> {
        decided(text).into_iter().map(|one| (one.subject, one.choice)).collect()
    };
    assert_eq!(choices(LINKS), choices(&moved));
}

#[test]
fn a_pinned_number_of_nodes_is_priced_and_reaches_the_other_rules() {
    let pinned = format!(
        "{SHOP}\ndecisions:\n  replicas: {{ choose: 5 nodes, because: the platform wants a quorum }}\n"
    );
    let decisions = decided(&pinned);
    let one = |name: &str| decisions.iter().find(|one| one.name == name).expect("it decides");
    let pin = one("replicas").pinned.as_ref().expect("the model pins it");
    assert_eq!(pin.cost, "monthly cost: 144 USD/month instead of 57.7 USD/month");
    assert_eq!(one("pools").choice, "18 for each node, 90 in all");
}

#[test]
fn services_that_are_pinned_call_each_other_along_their_references() {
    let pinned =
        format!("{SHOP}\ndecisions:\n  boundaries: {{ choose: services, because: three teams }}\n");
    let architecture = designed(&pinned);
    let calls: Vec<(&str, String)> = architecture
        .services
        .iter()
        .map(|service| (service.name.as_str(), service.calls.join(", ")))
        .collect();
    let calls: Vec<(&str, &str)> = calls.iter().map(|(name, to)| (*name, to.as_str())).collect();
    assert_eq!(
        calls,
        [("catalog", ""), ("ordering", "catalog, payments"), ("notifications", "ordering")]
    );
}

#[test]
fn a_price_list_of_the_users_own_changes_the_bill() {
    let model = valid(SHOP);
    let mut dear = Catalog::default();
    let list = "list: ours\ncurrency: USD\ndate: 2026-11\nsource: contract\nitems:\n  \
                container_vcpu: { value: 0.3238, unit: USD/hour }\n";
    dear.overlay(list).expect("the list is of the form");
    let bill = |architecture: &ir::architecture::Architecture| -> f64 {
        let cost = architecture.decisions.iter().find(|one| one.name == "cost");
        let total =
            cost.and_then(|one| one.numbers.iter().find(|number| number.name == "monthly cost"));
        total.expect("the cost is always decided").value
    };
    let (usual, dear) = (crate::design(&model), crate::design_with(&model, &dear));
    assert!((bill(&dear) - bill(&usual) - 2.0 * 730.0 * 0.29142).abs() < 0.01);
    let prices = dear.decisions.iter().flat_map(|one| &one.numbers);
    let mut inputs = prices.flat_map(|number| &number.inputs);
    assert!(inputs.any(|input| input.source == "catalogue ours, 2026-11: contract"));
}

const CONTEXTS: [&str; 2] = [
    "  stock:
    resources:
      Good:
        fields: { name: string max 40 unique }
        rows: 5_000
        allow: { read: anyone, write: user }
",
    "  sales:
    resources:
      Sale:
        fields: { good: stock.Good, seller: actor user }
        rows: 900 per month, keep 2 years
        allow: { read: user, create: user }
",
];

#[test]
fn the_order_of_the_contexts_changes_no_decision() {
    let model = |contexts: [&str; 2]| {
        let [first, second] = contexts;
        format!(
            "system: small\nactors: {{ user: oidc }}\ngoals: {{ peak: 300 rps }}\ncontexts:\n{first}{second}\
             workload:\n  look: {{ share: 90%, as: user, steps: [list Good, get Good] }}\n  \
             sell: {{ share: 10%, as: user, steps: [create Sale] }}\n"
        )
    };
    let choices = |text: &str| -> BTreeSet<(String, String)> {
        decided(text).into_iter().map(|one| (one.subject, one.choice)).collect()
    };
    let [first, second] = CONTEXTS;
    assert_eq!(choices(&model([first, second])), choices(&model([second, first])));
}

/// A garage: bays that may not be booked twice, an event that nothing causes or reads, programs at
/// the gate, and rows that the workload does not agree with.
const GARAGE: &str = "
system: garage
tenancy: row by operator
goals: { peak: 50 rps, availability: 99.9%, budget: 150 USD per month, tenants: '12, largest 30%' }
constraints: { team: 2, compliance: gdpr }
actors: { driver: oidc, attendant: oidc roles guard | boss, barrier: api_key }
contexts:
  sites:
    resources:
      Bay:
        fields: { number: int 1..9999, rate: money }
        rows: 2000 per tenant
        allow: { read: anyone, write: attendant.boss }
  parking:
    resources:
      Stay:
        rules: { own: driver == me }
        fields:
          driver: actor driver
          bay: sites.Bay
          during: timespan
          hours: int 1..720
          rate: money = bay.rate at write
          status: booked | parked | left
        never_overlap: [bay, during]
        rows: 3000 per tenant per month, keep 2 years then delete
        commands:
          drive_in: { status: booked -> parked, by: [barrier, attendant.guard] }
          drive_out: { status: parked -> left, by: [barrier, attendant.guard], emit: stay.ended }
          extend: { input: { more: int 1..24 }, require: status == booked, set: { hours: hours + more }, by: driver when own }
        allow:
          create: driver
          read: [driver when own, attendant, barrier]
          update: driver when own && status == booked
events:
  stay.ended: { data: [id, bay] }
workload:
  look: { share: 70%, as: driver, steps: [list Bay] }
  book: { share: 20%, as: driver, steps: [create Stay] }
  gate: { share: 10%, as: barrier, steps: [list Stay where status == booked, Stay.drive_in] }
";

/// The decisions of a model at a factor of its peak, with the inputs that they rest on.
fn decided_at(text: &str, factor: f64) -> (Vec<Decision>, Inputs) {
    let model = valid(text);
    let domain = lower::domain(&model);
    let contract = lower::contract(&domain);
    let schema = lower::schema(&model, &domain);
    let catalog = Catalog::default();
    let ground = Ground {
        model: &model,
        domain: &domain,
        contract: &contract,
        schema: &schema,
        catalog: &catalog,
    };
    let inputs = Inputs::read(&model);
    let inputs = inputs.with(Knob::Peak, inputs.value(Knob::Peak) * factor);
    (stages::run(Draft::new(ground, inputs.clone()), true).decisions, inputs)
}

/// The number that a text begins with, in seconds where a unit of time follows.
fn number_at(text: &str) -> Option<f64> {
    let mut words = text.split([' ', ':', ';', ')', '(']);
    let digits = words.next()?.replace(',', "");
    let value: f64 = digits.parse().ok()?;
    let scale = match words.next().unwrap_or_default() {
        "ms" => 1e-3,
        "min" => 60.0,
        "h" => 3_600.0,
        "%" => 1e-2,
        "kB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "TB" => 1e12,
        _ => 1.0,
    };
    Some(value * scale)
}

/// What is wrong with a threshold: that it is passed already.
fn passed(flip: &str, inputs: &Inputs) -> Option<&'static str> {
    let after = |words: &str| flip.split_once(words).and_then(|(_, rest)| number_at(rest));
    let peak = inputs.value(Knob::Peak);
    let mean = peak / inputs.value(Knob::PeakToMean);
    let (goal, rto) = (inputs.value(Knob::Availability), inputs.value(Knob::Rto));
    // Thresholds are printed in three digits.
    let (up, down) = (1.006, 0.994);
    let above = |words: &str, now: f64| after(words).is_some_and(|at| at * up < now);
    let below = |words: &str, now: f64| after(words).is_some_and(|at| at * down > now);
    if above("peak above ", peak) || below("peak below ", peak) {
        return Some("the peak is past it");
    }
    if above("mean above ", mean) || below("mean below ", mean) {
        return Some("the mean is past it");
    }
    if after("availability above ").is_some_and(|at| at + 1e-9 < goal) {
        return Some("the availability is asked for already");
    }
    if after("availability of ").is_some_and(|at| at > goal + 1e-9) {
        return Some("the availability is not asked for");
    }
    if flip.contains("rpo above 0 s") && inputs.value(Knob::Rpo) > 0.0 {
        return Some("the rpo is above 0 s");
    }
    if flip.contains("rpo of 0 s") && inputs.value(Knob::Rpo) <= 0.0 {
        return Some("the rpo is 0 s");
    }
    if after("rto of ").is_some_and(|at| rto >= at) || below("rto below ", rto) {
        return Some("the rto is past it");
    }
    let now = flip
        .rsplit_once(" now)")
        .and_then(|(text, _)| text.rsplit_once('(').and_then(|(_, now)| number_at(now)))?;
    if flip.contains(" times now)") {
        return None;
    }
    let more = ["more than ", "above "].iter().any(|words| above(words, now));
    let less = ["fewer than ", "less than ", "below "].iter().any(|words| below(words, now));
    (more || less).then_some("it is so now")
}

#[test]
fn no_threshold_is_passed_already() {
    let mut faults = BTreeSet::new();
    for (model, text) in MODELS.into_iter().chain([("garage", GARAGE)]) {
        for factor in [0.01, 0.1, 1.0, 10.0, 100.0, 1_000.0] {
            let (decisions, inputs) = decided_at(text, factor);
            for one in decisions {
                for flip in &one.flips_at {
                    if let Some(why) = passed(flip, &inputs) {
                        let (rule, subject) = (one.rule, &one.subject);
                        faults
                            .insert(format!("{rule} {model} × {factor} {subject}: {why}: {flip}"));
                    }
                }
            }
        }
    }
    let faults: Vec<String> = faults.into_iter().collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// A number of a decision of a model.
fn number_of(decisions: &[Decision], rule: &str, name: &str) -> f64 {
    let numbers = decisions.iter().filter(|one| one.rule == rule).flat_map(|one| &one.numbers);
    let found = numbers.into_iter().find(|number| number.name == name);
    found.unwrap_or_else(|| panic!("{rule} has no `{name}`")).value
}

#[test]
fn what_is_logged_is_what_is_billed() {
    for (model, text) in MODELS {
        let decisions = decided(text);
        let (decided, billed) =
            (number_of(&decisions, "D062", "logs"), number_of(&decisions, "D069", "logs"));
        assert!((decided - billed).abs() < 1e-9, "{model}: {decided} decided, {billed} billed");
    }
}

#[test]
fn one_machine_costs_the_same_wherever_it_is_named() {
    let architecture = designed(KIOSK);
    let cost = architecture.decisions.iter().find(|one| one.name == "cost").expect("it decides");
    let machine = cost.alternatives.iter().find(|one| one.name == "one machine with SQLite");
    let price = machine.expect("it is an alternative").numbers[0].value;
    let goal = architecture.infeasible.iter().find(|one| one.goal == "goals.budget");
    let cures = goal.expect("40 USD do not pay for it").cures.join("; ");
    assert!(cures.contains(&format!("one machine: {price:.0} USD")), "{price}: {cures}");
}

#[test]
fn spans_are_booked_at_the_rate_that_the_rows_say() {
    let decisions = decided(GARAGE);
    let race = number_of(&decisions, "D020", "double bookings a month");
    assert!(race < 36_000.0, "{race} double bookings of 36,000 rows a month");
    let rows = decisions.iter().filter(|one| ["D005", "D012", "D020"].contains(&one.rule));
    let told = rows.filter(|one| one.because.iter().any(|text| text.contains("by `rows`")));
    assert_eq!(told.count(), 3, "each says by whose word");
}

#[test]
fn questions_across_a_border_are_one_number() {
    let decisions = decided(GARAGE);
    let sentences = |rule: &str| -> String {
        let of = decisions.iter().filter(|one| one.rule == rule);
        let texts = of.flat_map(|one| {
            let lost = one.alternatives.iter().map(|other| &other.lost);
            let numbers = one.numbers.iter().map(ToString::to_string);
            one.because.iter().chain(lost).cloned().chain(numbers).collect::<Vec<_>>()
        });
        texts.collect::<Vec<_>>().join("\n")
    };
    for rule in ["D001", "D002", "D022"] {
        assert!(sentences(rule).contains("9.09 rps"), "{rule}: {}", sentences(rule));
    }
}

#[test]
fn a_budget_that_growth_breaks_is_told_first() {
    let tight = with(SHOP, "budget: 900 USD", "budget: 370 USD");
    let goals = |text: &str| -> Vec<String> {
        designed(text).infeasible.iter().map(|one| one.claim.clone()).collect()
    };
    assert!(goals(SHOP).is_empty(), "{:?}", goals(SHOP));
    let claims = goals(&tight);
    assert!(claims.iter().any(|claim| claim.contains("not for `goals.growth`")), "{claims:?}");
}

#[test]
fn a_share_beside_its_goal_has_the_digits_that_tell_them_apart() {
    use super::facts::share_beside;
    assert_eq!(share_beside(0.998_96, 0.999), "99.896 %");
    assert_eq!(share_beside(0.9995, 0.999), "99.95 %");
    assert_eq!(share_beside(0.999, 0.999), "99.9 %");
}

#[test]
fn two_regions_are_there_no_longer_than_releases_let_them() {
    for (model, text) in MODELS {
        let decisions = decided(text);
        let availability = decisions.iter().find(|one| one.name == "availability");
        let availability = availability.expect("it decides");
        let regions = availability.alternatives.iter().find(|one| one.name == "two regions");
        let both = regions.expect("it is weighed").numbers[0].value;
        assert!(both < 0.999_999, "{model}: a bad release reaches both regions: {both}");
    }
}
