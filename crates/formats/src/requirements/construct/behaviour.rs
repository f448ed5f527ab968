//! What happens over time: events, views, reactions, integrations, workflows, schedules.

use super::access::ALLOW_VIEW;
use super::resource::{EXPRESSIONS, FIELD, inputs};
use super::system::PERCENTILE_KEYS;
use super::{Construct, GRANT, Key, Leaf, NameKind, Shape, leaf, long, of, was};

const REFERENCE: Leaf = Leaf::Name(NameKind::Reference);

pub(crate) static VIEW: Construct = long(
    "view",
    "A read model, kept up to date from events and rebuilt by replay",
    &[
        leaf("path", Leaf::Name(NameKind::Segment), "Path segment, instead of the regular one"),
        leaf("from", Leaf::Names(NameKind::Event), "Events it is made from").required(),
        of("key", Shape::Named(NameKind::Field, EXPRESSIONS), "What a row is found by").required(),
        of("set", Shape::Named(NameKind::Field, EXPRESSIONS), "What is counted or summed"),
        leaf("fresh", Leaf::Duration, "How far it may lag"),
        of("allow", Shape::One(&ALLOW_VIEW), "Who may read it"),
        was(NameKind::Camel("a view")),
    ],
);

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
        was(NameKind::Event),
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
        was(NameKind::Snake("an integration")),
    ],
);

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
        was(NameKind::Snake("a schedule")),
    ],
)
.one_of(&["every", "cron"]);
