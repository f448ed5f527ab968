//! The system as a whole: goals, constraints, tenancy, contexts, traffic, pinned choices.

use super::access::ACTOR;
use super::behaviour::{EVENT, INTEGRATION, JOB, REACTION, SCHEDULE, VIEW, WORKFLOW};
use super::resource::RESOURCE;
use super::{
    Construct, GRANT, Leaf, NameKind, Others, Phrase, Shape, Takes, leaf, long, of, was, word,
};

pub(crate) static MODEL: Construct = long(
    "model",
    "A requirements file of Mainstay",
    &[
        leaf("mainstay", Leaf::Notation, "Version of the notation: 1"),
        leaf("system", Leaf::Name(NameKind::Word), "Name of the system"),
        leaf("title", Leaf::Text, "Title for people"),
        leaf("summary", Leaf::Text, "What it is for, in a few sentences"),
        of("tenancy", Shape::One(&TENANCY), "How tenants are kept apart"),
        of("goals", Shape::One(&GOALS), "What must hold").environment(),
        of("constraints", Shape::One(&CONSTRAINTS), "What may not be chosen freely").environment(),
        of("actors", Shape::Named(NameKind::Snake("an actor"), &Shape::One(&ACTOR)), "Who calls")
            .environment(),
        of(
            "contexts",
            Shape::Named(NameKind::Snake("a context"), &Shape::One(&CONTEXT)),
            "Bounded contexts with their resources",
        ),
        of(
            "integrations",
            Shape::Named(NameKind::Snake("an integration"), &Shape::One(&INTEGRATION)),
            "Systems outside",
        )
        .environment(),
        of(
            "workflows",
            Shape::Named(NameKind::Snake("a workflow"), &Shape::One(&WORKFLOW)),
            "Sagas over commands and integrations",
        ),
        of("events", Shape::Named(NameKind::Event, &Shape::One(&EVENT)), "Published events"),
        of(
            "schedules",
            Shape::Named(NameKind::Snake("a schedule"), &Shape::One(&SCHEDULE)),
            "Recurring work",
        ),
        of(
            "jobs",
            Shape::Named(NameKind::Snake("a job"), &Shape::One(&JOB)),
            "Work that is asked for, and done beside the requests",
        ),
        of(
            "workload",
            Shape::Named(NameKind::Snake("a journey"), &Shape::One(&JOURNEY)),
            "Traffic, as user journeys with their shares",
        ),
        of(
            "decisions",
            Shape::Named(NameKind::Subject, &Shape::One(&PIN)),
            "Choices pinned against the architect",
        ),
    ],
)
.merges();

pub(crate) static TENANCY: Construct = long(
    "tenancy",
    "How tenants are kept apart, and what names a caller's tenant",
    &[
        leaf("isolation", Leaf::Choice(&["row", "schema", "database"]), "The mechanism").required(),
        leaf("by", Leaf::Name(NameKind::Word), "Claim of the token that names the tenant"),
        leaf("host", Leaf::Text, "Host pattern, `{claim}` as its first label"),
    ],
)
.short(Phrase {
    examples: &["row by org", "database by clinic host {clinic}.clinic.example"],
    heads: &[("isolation", Takes::One)],
    words: &[word("by", "by", Takes::One), word("host", "host", Takes::One)],
    range: false,
});

pub(crate) static GOALS: Construct = long(
    "goals",
    "What must hold; what is missing is an assumption of the design",
    &[
        leaf("peak", Leaf::Rates, "Client requests a second at the peak").environment(),
        of("growth", Shape::One(&GROWTH), "How the peak grows").environment(),
        of("latency", PERCENTILES, "Bounds of the response time").environment(),
        leaf("availability", Leaf::Share, "Share of requests that are answered").environment(),
        of("recovery", Shape::One(&RECOVERY), "What a disaster may cost").environment(),
        of("budget", Shape::One(&BUDGET), "What running it may cost").environment(),
        of("tenants", Shape::One(&TENANTS), "How many tenants, and how unlike").environment(),
        leaf("reads", Leaf::Share, "Share of requests that read; else from the workload")
            .environment(),
        leaf("peak_to_mean", Leaf::Measure, "Peak divided by the mean of a day").environment(),
        of("burst", Shape::One(&BURST), "A short load above the peak").environment(),
        leaf("popularity", Leaf::Measure, "Zipf exponent of the keys' popularity").environment(),
        leaf("payload", Leaf::Bytes, "Mean size of an answer's body").environment(),
        leaf("service_time", Leaf::Durations, "CPU time that a request takes").environment(),
    ],
);

pub(crate) const PERCENTILES: Shape =
    Shape::Named(NameKind::Percentile, &Shape::Leaf(Leaf::Duration));

pub(crate) static GROWTH: Construct = long(
    "growth",
    "How the peak grows",
    &[
        leaf("factor", Leaf::Factor, "Factor of today's peak").required(),
        leaf("in", Leaf::Duration, "Time in which it is reached").required(),
    ],
)
.short(Phrase {
    examples: &["3x in 18 months"],
    heads: &[("factor", Takes::One)],
    words: &[word("in", "in", Takes::Words)],
    range: false,
});

pub(crate) static RECOVERY: Construct = long(
    "recovery",
    "What a disaster may cost",
    &[
        leaf("rpo", Leaf::Duration, "Acknowledged work that may be lost"),
        leaf("rto", Leaf::Duration, "Time until it works again"),
    ],
);

const BUDGET_PERIODS: &[&str] = &["month", "year"];

pub(crate) static BUDGET: Construct = long(
    "budget",
    "What running it may cost",
    &[
        leaf("amount", Leaf::Amount, "Amount and currency").required(),
        leaf("per", Leaf::Choice(BUDGET_PERIODS), "Time it is for").required(),
    ],
)
.short(Phrase {
    examples: &["900 USD per month"],
    heads: &[("amount", Takes::Words)],
    words: &[word("per", "per", Takes::One)],
    range: false,
});

pub(crate) static TENANTS: Construct = long(
    "tenants",
    "How many tenants, and how unlike",
    &[
        leaf("count", Leaf::Measure, "How many").required(),
        leaf("largest", Leaf::Share, "The largest one's share of the traffic"),
    ],
)
.short(Phrase {
    examples: &["40, largest 25%", "10..50"],
    heads: &[("count", Takes::One)],
    words: &[word("largest", "largest", Takes::One).after_comma()],
    range: false,
});

pub(crate) static BURST: Construct = long(
    "burst",
    "A short load above the peak",
    &[
        leaf("factor", Leaf::Factor, "Factor of the peak").required(),
        leaf("for", Leaf::Duration, "Time it lasts").required(),
    ],
)
.short(Phrase {
    examples: &["3x for 10 s"],
    heads: &[("factor", Takes::One)],
    words: &[word("for", "for", Takes::Words)],
    range: false,
});

const CHOICES: Shape = Shape::Named(NameKind::Word, &Shape::Leaf(Leaf::Name(NameKind::Word)));

pub(crate) static CONSTRAINTS: Construct = long(
    "constraints",
    "What may not be chosen freely",
    &[
        leaf("team", Leaf::People, "Engineers who build and run it").environment(),
        leaf("compliance", Leaf::Names(NameKind::Word), "`gdpr`, `pci-dss`, `hipaa`, `soc2`")
            .environment(),
        of("prefer", CHOICES, "Technology wished for: `{ database: postgresql }`").environment(),
        of("forbid", CHOICES, "Technology ruled out: `{ broker: kafka }`").environment(),
        leaf("residency", Leaf::Names(NameKind::Word), "Regions that the data must stay in")
            .environment(),
    ],
);

pub(crate) static CONTEXT: Construct = long(
    "context",
    "A bounded context: what belongs together and changes together",
    &[
        leaf("about", Leaf::Text, "What it is about"),
        of(
            "resources",
            Shape::Named(NameKind::Camel("a resource"), &Shape::One(&RESOURCE)),
            "Its resources, owned children among them",
        ),
        of(
            "views",
            Shape::Named(NameKind::Camel("a view"), &Shape::One(&VIEW)),
            "Read models, kept up to date from events",
        ),
        of(
            "reacts",
            Shape::Named(NameKind::Heard, &Shape::Some(&Shape::One(&REACTION))),
            "What it does when an event happens",
        ),
        was(NameKind::Snake("a context")),
    ],
)
.merges();

pub(crate) static JOURNEY: Construct = long(
    "journey",
    "A user journey: requests in order, and its share of all journeys",
    &[
        leaf("share", Leaf::Share, "Share of all journeys").required(),
        of("as", Shape::One(&GRANT), "The actor that makes it"),
        of("steps", Shape::List(&Shape::One(&JOURNEY_STEP)), "Requests in order").required(),
    ],
);

pub(crate) static JOURNEY_STEP: Construct = long(
    "journey_step",
    "One request of a journey",
    &[
        leaf("do", Leaf::Text, "`list Order`, `get Order`, `create Order`, `Order.place`")
            .required(),
        leaf("where", Leaf::Expression, "Filter of a list"),
        leaf("sort", Leaf::Text, "Order of a list: `-created_at`"),
        leaf("limit", Leaf::Whole, "Page size of a list"),
    ],
)
.short(Phrase {
    examples: &["list Order where status == paid", "get Order", "Order.place"],
    heads: &[("do", Takes::Words)],
    words: &[
        word("where", "where", Takes::Rest),
        word("sort", "sort", Takes::One),
        word("limit", "limit", Takes::One),
    ],
    range: false,
});

pub(crate) static PIN: Construct = long(
    "pin",
    "A choice pinned against the architect; the document says what it costs",
    &[leaf("choose", Leaf::Text, "The choice").required(), leaf("because", Leaf::Text, "Why")],
)
.short(Phrase {
    examples: &["postgresql because we run it already"],
    heads: &[("choose", Takes::Words)],
    words: &[word("because", "because", Takes::Rest)],
    range: false,
});

/// Percentiles beside other keys (`expects`, a workflow's `goal`).
pub(crate) const PERCENTILE_KEYS: Others = Others {
    names: NameKind::Percentile,
    shape: Shape::Leaf(Leaf::Duration),
    about: "A percentile of the time it takes, and its bound",
};
