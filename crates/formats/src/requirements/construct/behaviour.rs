//! What happens over time: events, views, reactions, integrations, workflows, schedules, jobs.

use super::access::ALLOW_VIEW;
use super::resource::{EXPRESSIONS, FIELD, INPUT, inputs};
use super::system::PERCENTILE_KEYS;
use super::{
    Construct, GRANT, Key, Leaf, NameKind, Phrase, Shape, Takes, flag, leaf, long, of, was, word,
};

const REFERENCE: Leaf = Leaf::Name(NameKind::Reference);

pub(crate) static VIEW: Construct = long(
    "view",
    "A read model, kept up to date from events and rebuilt by replay",
    &[
        leaf("path", Leaf::Name(NameKind::Segment), "Path segment, instead of the regular one"),
        leaf("from", Leaf::Names(NameKind::Event), "Events it is made from").required(),
        of("key", Shape::Named(NameKind::Field, EXPRESSIONS), "What a row is found by").required(),
        of("set", Shape::Named(NameKind::Field, EXPRESSIONS), "What is counted or summed"),
        of(
            "window",
            Shape::One(&WINDOW),
            "Windows of time: a row for each key and window, with `window_start`, `window_end` and \
             `closed`",
        ),
        leaf(
            "late",
            Leaf::Duration,
            "How long after younger events one may come and still be counted in a window: `1 min` \
             unless it is said",
        ),
        leaf("fresh", Leaf::Duration, "How far it may lag"),
        of("allow", Shape::One(&ALLOW_VIEW), "Who may read it"),
        was(NameKind::Camel("a view")),
    ],
);

pub(crate) static WINDOW: Construct = long(
    "window",
    "Windows of time that events are counted in, by their own time",
    &[
        leaf("size", Leaf::Duration, "How long one is; of a session, the pause that ends it")
            .required(),
        flag("tumbling", "One begins where the other ends"),
        leaf("sliding", Leaf::Duration, "Time between the beginnings of two; they overlap"),
        flag("session", "One goes on for as long as no pause comes between the events of a key"),
    ],
)
.one_of(&["tumbling", "sliding", "session"])
.short(Phrase {
    examples: &["5 min tumbling", "10 min sliding 1 min", "30 min session"],
    heads: &[("size", Takes::Words)],
    words: &[
        word("tumbling", "tumbling", Takes::Nothing),
        word("sliding", "sliding", Takes::Words),
        word("session", "session", Takes::Nothing),
    ],
    range: false,
});

pub(crate) static REACTION: Construct = long(
    "reaction",
    "What a context does when an event happens",
    &[
        leaf("create", REFERENCE, "Makes a row of that resource"),
        leaf("update", REFERENCE, "Changes a row of that resource; `with` holds `id`"),
        leaf("do", REFERENCE, "Calls a command or an integration's operation"),
        of(
            "with",
            Shape::Named(NameKind::Snake("an input"), EXPRESSIONS),
            "Values given, from `event.…`",
        ),
        leaf("when", Leaf::Expression, "Only when this holds"),
    ],
)
.one_of(&["create", "update", "do"]);

pub(crate) static EVENT: Construct = long(
    "event",
    "A published event",
    &[
        leaf(
            "data",
            Leaf::Names(NameKind::Snake("a field")),
            "Fields of the aggregate that it carries",
        ),
        leaf(
            "webhook",
            Leaf::Names(NameKind::Snake("an actor")),
            "Actors that may have it delivered",
        ),
        leaf("version", Leaf::Whole, "Version of its data, `1` unless it is said: `order.paid.v1`"),
        of(
            "from",
            Shape::Named(NameKind::Version, &Shape::One(&OLDER_VERSION)),
            "Older versions: how data that was told so is read as the next version",
        ),
        was(NameKind::Event),
    ],
);

pub(crate) static OLDER_VERSION: Construct = long(
    "older_version",
    "A version of an event that is told no more, and how its data becomes that of the next",
    &[
        of(
            "data",
            Shape::Named(NameKind::Snake("a member"), &Shape::One(&FIELD)),
            "What it carried; rows of children are `json`",
        )
        .required(),
        of(
            "with",
            Shape::Named(NameKind::Snake("a member"), EXPRESSIONS),
            "Members of the next version, from those of this one; what has the same name and type \
             is carried over",
        ),
    ],
);

pub(crate) static INTEGRATION: Construct = long(
    "integration",
    "A system outside that is called over HTTP",
    &[
        leaf("http", Leaf::Url, "Base URL: `${PAYMENTS_URL}`").required().environment(),
        leaf(
            "auth",
            Leaf::Auth,
            "`bearer ${KEY}`, `basic ${USER_PASSWORD}`, `header X-Key ${KEY}`",
        )
        .environment(),
        of("expects", Shape::One(&EXPECTS), "What is expected of it"),
        leaf("limit", Leaf::Rate, "Calls that it takes").environment(),
        of(
            "operations",
            Shape::Named(NameKind::Snake("an operation"), &Shape::One(&OPERATION)),
            "Its operations",
        ),
        of("webhooks", Shape::One(&WEBHOOKS), "Webhooks that it sends"),
        was(NameKind::Snake("an integration")),
    ],
);

/// Schemes, as they are written.
pub(crate) const SCHEMES: &[&str] = &["standard", "stripe", "github", "rfc9421"];

pub(crate) static WEBHOOKS: Construct = long(
    "webhooks",
    "Webhooks that a system outside sends to `POST /v1/webhooks/in/{integration}`: verified, kept \
     in the log, heard by `reacts` as `{integration}.{event}`",
    &[
        leaf("verify", Leaf::Choice(SCHEMES), "How a delivery proves where it comes from")
            .required(),
        of(
            "secret",
            Shape::Some(&Shape::Leaf(Leaf::Secret)),
            "`${SECRET}`; several are accepted while one takes the place of another",
        )
        .required(),
        leaf("tolerance", Leaf::Duration, "How far its time may be from ours; 5 min unless said"),
        leaf(
            "into",
            Leaf::Name(NameKind::Snake("a context")),
            "Context that keeps what comes; else the first that reacts",
        ),
        of(
            "events",
            Shape::Named(NameKind::Sent, &Shape::One(&WEBHOOK_EVENT)),
            "Events that are kept, as the sender calls them; others are answered and dropped",
        )
        .required(),
    ],
);

pub(crate) static WEBHOOK_EVENT: Construct = long(
    "webhook_event",
    "An event that a system outside tells of",
    &[of(
        "data",
        Shape::Named(NameKind::Snake("a member"), &Shape::One(&WEBHOOK_MEMBER)),
        "Members that are kept; the rest of the payload is not",
    )],
);

pub(crate) static WEBHOOK_MEMBER: Construct = long(
    "webhook_member",
    "A member of what a system outside tells",
    &[
        leaf("type", Leaf::Type, "Its type").required(),
        flag("optional", "May be missing, or null"),
        leaf("from", Leaf::Text, "JSON Pointer into the body, where it stands elsewhere"),
    ],
)
.short(Phrase {
    examples: &["uuid", "int optional", "uuid from /data/object/metadata/order"],
    heads: &[("type", Takes::One)],
    words: &[word("optional", "optional", Takes::Nothing), word("from", "from", Takes::One)],
    range: false,
});

pub(crate) static EXPECTS: Construct = long(
    "expects",
    "What is expected of a system outside",
    &[leaf("availability", Leaf::Share, "Share of calls that are answered")],
)
.others(PERCENTILE_KEYS);

const MEMBERS: Shape = Shape::Named(NameKind::Snake("a member"), &Shape::One(&FIELD));

const fn call(method: &'static str) -> Key {
    leaf(method, Leaf::Path, "Path that is called, with `{input}` segments")
}

pub(crate) const METHODS: &[&str] = &["get", "post", "put", "patch", "delete"];

pub(crate) static OPERATION: Construct = long(
    "operation",
    "One call to a system outside",
    &[
        call("get"),
        call("post"),
        call("put"),
        call("patch"),
        call("delete"),
        of("body", MEMBERS, "Members of the body"),
        of("returns", MEMBERS, "Members of the answer"),
        leaf("idempotent", Leaf::Header, "`true`, or the name of the idempotency header"),
        of(
            "refuses",
            Shape::Named(NameKind::Status, &Shape::Leaf(Leaf::Name(NameKind::Snake("a refusal")))),
            "Statuses that are a business answer: never retried",
        ),
        of("lookup", Shape::One(&LOOKUP), "How the outcome of a lost answer is learned"),
    ],
)
.one_of(METHODS);

pub(crate) static LOOKUP: Construct = long(
    "lookup",
    "How the outcome of a call whose answer was lost is learned",
    &[call("get"), call("post")],
)
.one_of(&["get", "post"]);

pub(crate) static WORKFLOW: Construct = long(
    "workflow",
    "A saga over commands and integration operations; survives a crash at any instruction",
    &[
        leaf("after", REFERENCE, "The command that starts it: `Order.place`").required(),
        of("goal", Shape::One(&WORKFLOW_GOAL), "What it must hold"),
        of("steps", Shape::List(&Shape::One(&STEP)), "Steps in order").required(),
        of(
            "otherwise",
            Shape::LeafOrNamed(REFERENCE, NameKind::Snake("a refusal")),
            "Command that ends it where it fails, or one for each refusal (`any` for the others)",
        ),
        was(NameKind::Snake("a workflow")),
    ],
);

pub(crate) static WORKFLOW_GOAL: Construct = long(
    "workflow_goal",
    "What a workflow must hold",
    &[leaf("lose", Leaf::Choice(&["nothing"]), "No started workflow is ever forgotten")],
)
.others(PERCENTILE_KEYS);

pub(crate) static STEP: Construct = long(
    "step",
    "One step of a workflow",
    &[
        leaf("name", Leaf::Name(NameKind::Snake("a step")), "Its name; else the last word of `do`"),
        leaf("each", REFERENCE, "Owned children to do it for, one by one, as `item`"),
        leaf("do", REFERENCE, "Command or operation: `Order.pay`, `payments.charge`"),
        leaf("undo", REFERENCE, "What takes it back"),
        inputs("with", "Inputs"),
        inputs("undo_with", "Inputs of the undo"),
        leaf("when", Leaf::Expression, "Only when this holds"),
        leaf("timeout", Leaf::Duration, "How long one attempt may take"),
        leaf("retry", Leaf::Whole, "Further attempts"),
        leaf("wait", Leaf::Text, "A time or an event that is waited for"),
        of("approve", Shape::One(&GRANT), "Actor that must approve"),
        leaf("run", Leaf::Name(NameKind::Snake("a workflow")), "Workflow that is run within"),
        of("parallel", Shape::List(&Shape::One(&STEP)), "Steps done side by side"),
    ],
)
.one_of(&["do", "wait", "approve", "run", "parallel"]);

pub(crate) static SCHEDULE: Construct = long(
    "schedule",
    "Recurring work over the rows of a resource",
    &[
        leaf("every", Leaf::Duration, "Time between two runs"),
        leaf("cron", Leaf::Text, "Cron expression of five fields, UTC"),
        leaf("for", REFERENCE, "The resource whose rows are taken").required(),
        leaf("where", Leaf::Expression, "Which rows"),
        leaf("do", REFERENCE, "The command: `Order.cancel`").required(),
        inputs("with", "Inputs of the command"),
        of(
            "catch_up",
            Shape::One(&CATCH_UP),
            "What becomes of runs that were missed while nothing ran: `one` unless it is said",
        ),
        leaf(
            "overlap",
            Leaf::Choice(&["skip", "wait"]),
            "A run that is due while the one before goes on is left out (`skip`, unless it is \
             said), or begins when that has ended",
        ),
        was(NameKind::Snake("a schedule")),
    ],
)
.one_of(&["every", "cron"]);

pub(crate) static JOB: Construct = long(
    "job",
    "A command, or a call of an integration, that is asked for at `POST /v1/operations/{job}` and \
     run as `system` beside the requests: once in effect, tried again where it may succeed later",
    &[
        leaf("about", Leaf::Text, "What it does"),
        of("input", INPUT, "What who asks gives"),
        leaf(
            "do",
            REFERENCE,
            "The command, whose `by` lists `system`: `ordering.Order.invoice`; or an operation of \
             an integration: `payments.refund`",
        )
        .required(),
        leaf("for", Leaf::Expression, "The row that the command is of, from the inputs"),
        inputs("with", "What the call takes, from the inputs of the job"),
        of("by", Shape::Some(&Shape::One(&GRANT)), "Who may ask, without condition").required(),
        leaf(
            "priority",
            Leaf::Choice(&["high", "normal", "low"]),
            "What comes first; `normal` unless it is said",
        ),
        leaf(
            "retry",
            Leaf::Whole,
            "Attempts in all, 1 to 20, with growing pauses drawn at random between them; 5 unless \
             it is said. A refusal that stays one (no right, a guard, a wrong value) is not tried \
             again",
        ),
        leaf(
            "concurrency",
            Leaf::Whole,
            "How many run at once, 1 to 100, of all processes that share the store; unbounded \
             unless it is said",
        ),
        was(NameKind::Snake("a job")),
    ],
);

pub(crate) static CATCH_UP: Construct = long(
    "catch_up",
    "What becomes of runs that were missed while nothing ran",
    &[
        leaf(
            "runs",
            Leaf::Choice(&["none", "one", "all"]),
            "None of them, the latest, or all, each over the rows as they are by then",
        )
        .required(),
        leaf("up_to", Leaf::Whole, "The most that `all` makes up for, the latest: 1 to 1,000"),
    ],
)
.short(Phrase {
    examples: &["one", "none", "all up to 24"],
    heads: &[("runs", Takes::One)],
    words: &[word("up to", "up_to", Takes::One)],
    range: false,
});
