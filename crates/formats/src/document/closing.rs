//! Technology, limits, growth, security, cost, order of work, whom to ask, and the records.

#[cfg(test)]
use super::decision::of;
use super::decision::{Section, authority, section, short, write_all};
use super::page::{Page, capital, coded, listed};
use crate::adr;
use ir::architecture::Architecture;
use ir::decision::{Authority, Decision};
use ir::domain::Caller;
use ir::model::Proof;
use ir::quantity::{Unit, number, print};

pub(super) fn technology(page: &mut Page, architecture: &Architecture) {
    page.heading(2, "Technology recommendations");
    write_all(page, architecture, Section::Technology);
    let advised = |one: &&Decision| {
        let names = ["database", "broker", "cache", "search"];
        let tool = !matches!(section(one), Section::Services | Section::Technology);
        tool && (one.authority == Authority::Advises || names.contains(&one.name))
    };
    let row = |one: &Decision| {
        let lost: Vec<&str> = one.alternatives.iter().map(|other| other.name.as_str()).collect();
        vec![
            format!("{}, `{}`", one.name.replace('_', " "), one.subject),
            one.choice.clone(),
            one.because.first().cloned().unwrap_or_default(),
            listed(&lost),
        ]
    };
    let rows: Vec<Vec<String>> = architecture.decisions.iter().filter(advised).map(row).collect();
    if rows.is_empty() {
        page.text("The design asks for no technology beside Mainstay itself.");
    }
    page.table(&["For", "Choice", "Rationale", "Alternatives weighed"], rows);
}

pub(super) fn bottlenecks(page: &mut Page, architecture: &Architecture) {
    page.heading(2, "Potential bottlenecks");
    if !write_all(page, architecture, Section::Bottlenecks) {
        page.text(
            "Unknown: no load was computed against a capacity; name `goals.peak` and `workload`.",
        );
    }
}

pub(super) fn scaling(page: &mut Page, architecture: &Architecture) {
    page.heading(2, "Scaling considerations");
    let written = write_all(page, architecture, Section::Scaling);
    let goals = &architecture.model.goals;
    if written {
        return;
    }
    let (Some(growth), Some(peak)) = (&goals.growth, &goals.peak) else {
        page.text("Unknown: the model names no `goals.growth`.");
        return;
    };
    // Constant growth a month: the factor's root.
    let months = growth.value.over / 2_629_800.0;
    let after = |at: f64| peak.value.worst() * growth.value.factor.powf(at.min(months) / months);
    let rows = [("now", 0.0), ("6 months", 6.0), ("12 months", 12.0), ("the end", months)];
    page.text(format!(
        "The peak grows {}x in {}, the same share each month:",
        number(growth.value.factor),
        print(growth.value.over, &Unit::Seconds)
    ));
    page.table(
        &["After", "Peak"],
        rows.iter()
            .filter(|(_, at)| *at <= months)
            .map(|(name, at)| vec![(*name).to_owned(), print(after(*at), &Unit::PerSecond)]),
    );
}

pub(super) fn security(page: &mut Page, architecture: &Architecture) {
    page.heading(2, "Security considerations");
    write_all(page, architecture, Section::Security);
    page.heading(3, "Trust boundaries");
    page.table(&["Boundary", "Threat", "Control here"], boundaries(architecture));
}

/// The boundaries that this system has, each with what is done there.
fn boundaries(architecture: &Architecture) -> Vec<Vec<String>> {
    let (domain, model) = (&architecture.domain, &architecture.model);
    let mut rows = Vec::new();
    let mut row = |boundary: String, threat: &str, control: String| {
        rows.push(vec![boundary, threat.to_owned(), control]);
    };
    let named = |proof: Proof| -> Vec<&str> {
        let actors = domain.actors.iter().filter(|actor| actor.proof == proof);
        actors.map(|actor| actor.name.as_str()).collect()
    };
    let (tokens, keys) = (named(Proof::Oidc), named(Proof::ApiKey));
    if !tokens.is_empty() {
        row(
            format!("{} → API", listed(&tokens)),
            "forged, stolen or foreign token",
            "signature by the issuer's keys, allowed algorithms, issuer, audience and expiry \
             checked before anything is read"
                .to_owned(),
        );
    }
    if !keys.is_empty() {
        row(
            format!("{} → API", listed(&keys)),
            "leaked key",
            "only a hash is stored; `mainstay key revoke` ends it at once".to_owned(),
        );
    }
    let open: Vec<String> = architecture
        .contract
        .operations
        .iter()
        .filter(|one| one.anonymous && !one.internal && one.resource.is_some())
        .map(|one| format!("`{} {}`", one.method, one.path))
        .collect();
    if !open.is_empty() {
        row("anyone → API".to_owned(), "scraping, floods", format!("open: {}", listed(&open)));
    }
    if let Some(tenancy) = &domain.tenancy {
        let across: Vec<&str> = domain
            .actors
            .iter()
            .filter(|actor| actor.across_tenants)
            .map(|actor| actor.name.as_str())
            .collect();
        let also = match across.is_empty() {
            true => "no actor may cross".to_owned(),
            false => format!("{} may cross, audited", listed(&across)),
        };
        row(
            format!("{} → {}", tenancy.claim, tenancy.claim),
            "one tenant reads another's rows",
            format!(
                "the tenant comes from the claim `{}`, never from a body, and stands in every \
                 key; {also}",
                tenancy.claim
            ),
        );
    }
    for one in &model.integrations {
        let auth = one
            .auth
            .as_ref()
            .map_or("none", |auth| auth.value.split_whitespace().next().unwrap_or("none"));
        row(
            format!("system → {}", one.name),
            "leaked credential, answer that lies",
            format!("`{auth}` credential from the environment, answers read by their schema"),
        );
    }
    let told: Vec<&str> =
        model.events.iter().filter(|e| !e.webhook.is_empty()).map(|e| e.name.as_str()).collect();
    if !told.is_empty() {
        row(
            format!("system → receivers of {}", listed(&coded(told))),
            "forged call, request to an inner address",
            "signed (Standard Webhooks); inner addresses refused after resolution".to_owned(),
        );
    }
    let internal = domain.roots().any(|(_, resource)| {
        resource.commands.iter().any(|one| one.by.iter().any(|by| by.caller == Caller::System))
    });
    if internal {
        row(
            "client → commands of `system`".to_owned(),
            "a client drives a workflow's steps itself",
            "not in the contract, 404 to every token but the system's own".to_owned(),
        );
    }
    rows
}

pub(super) fn cost(page: &mut Page, architecture: &Architecture) {
    page.heading(2, "Cost");
    if !write_all(page, architecture, Section::Cost) {
        page.text("Unknown: no load is known that capacity could be bought for.");
    }
}

pub(super) fn roadmap(page: &mut Page, architecture: &Architecture) {
    page.heading(2, "Implementation roadmap");
    if write_all(page, architecture, Section::Roadmap) {
        return;
    }
    let domain = &architecture.domain;
    let order = order(architecture);
    page.text("Each context after those it asks for data:");
    page.table(
        &["Phase", "Context", "Because"],
        order.iter().enumerate().map(|(phase, (context, needs))| {
            let because = match needs.is_empty() {
                true => "asks no other context".to_owned(),
                false => format!("asks {}", listed(&coded(needs))),
            };
            vec![(phase + 1).to_string(), domain.contexts[*context].name.clone(), because]
        }),
    );
}

/// Contexts in the order of their references, each with those it asks.
fn order(architecture: &Architecture) -> Vec<(usize, Vec<String>)> {
    let domain = &architecture.domain;
    let mut needs: Vec<Vec<usize>> = vec![Vec::new(); domain.contexts.len()];
    for resource in &domain.resources {
        for field in &resource.fields {
            if let ir::domain::Kind::Reference { target, crosses: true, .. } = field.kind {
                let to = domain.resource(target).context.index();
                let from = &mut needs[resource.context.index()];
                if !from.contains(&to) {
                    from.push(to);
                }
            }
        }
    }
    let mut left: Vec<usize> = (0..domain.contexts.len()).collect();
    let mut ordered = Vec::new();
    while !left.is_empty() {
        let free = |at: &usize| needs[*at].iter().all(|need| need == at || !left.contains(need));
        let next = left.iter().position(free).unwrap_or(0);
        let at = left.remove(next);
        let names = needs[at].iter().map(|need| domain.contexts[*need].name.clone());
        ordered.push((at, names.collect()));
    }
    ordered
}

pub(super) fn consultations(page: &mut Page, architecture: &Architecture) {
    page.heading(2, "Consultations needed");
    let rows: Vec<Vec<String>> = architecture
        .decisions
        .iter()
        .filter_map(|one| {
            let whom = one.consult.as_ref()?;
            let about = format!("{} `{}`: {}", one.rule, one.subject, one.choice);
            Some(vec![whom.clone(), about, authority(one.authority).to_owned()])
        })
        .collect();
    if rows.is_empty() {
        page.text("No decision here goes beyond what a backend architect owns.");
    }
    page.table(&["Whom, and what", "Decision", "The architect"], rows);
}

pub(super) fn records(page: &mut Page, architecture: &Architecture) {
    page.heading(2, "Architecture decision records");
    let row = |one: &Decision| {
        let file = adr::file_of(architecture, one).unwrap_or_default();
        let number = file.get(..4).unwrap_or_default();
        let numbers: Vec<String> = one.numbers.iter().take(1).map(short).collect();
        vec![
            format!("[{number}](decisions/{file})"),
            capital(&one.question),
            one.choice.clone(),
            numbers.join(""),
        ]
    };
    page.table(
        &["Record", "Question", "Choice", "First number"],
        architecture.decisions.iter().map(row),
    );
}

/// The sections that hold decisions are all written: none is lost.
#[cfg(test)]
pub(super) fn printed(architecture: &Architecture) -> usize {
    use Section::*;
    let sections = [
        Services,
        Api,
        Data,
        Caching,
        Communication,
        Access,
        Performance,
        Resilience,
        Errors,
        Observability,
        Technology,
        Bottlenecks,
        Scaling,
        Security,
        Cost,
        Roadmap,
    ];
    sections.into_iter().map(|section| of(architecture, section).count()).sum()
}
