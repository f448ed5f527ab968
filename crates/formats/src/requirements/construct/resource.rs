//! Resources: fields, constraints, commands, routes.

use super::access::{ALLOW, ALLOW_FIELD};
use super::{
    Construct, GRANT, Key, Leaf, NameKind, Others, Phrase, Shape, Takes, flag, leaf, long, of, was,
    word,
};

pub(crate) const EXPRESSIONS: &Shape = &Shape::Leaf(Leaf::Expression);
pub(crate) const FIELD_NAMES: Leaf = Leaf::Names(NameKind::Snake("a field"));
const REQUIRED: Leaf = Leaf::Choice(&["required", "optional"]);

pub(crate) static RESOURCE: Construct = long(
    "resource",
    "An aggregate root, or a child that one owns",
    &[
        leaf("about", Leaf::Text, "What it is"),
        leaf("path", Leaf::Name(NameKind::Segment), "Path segment, instead of the plural"),
        of(
            "rules",
            Shape::Named(NameKind::Snake("a rule"), EXPRESSIONS),
            "Named conditions, used as `shopper when own`",
        ),
        of("fields", Shape::Named(NameKind::Field, &Shape::One(&FIELD)), "Fields in order"),
        of("unique", Shape::Sets(&UNIQUE), "Fields that are unique together: `[[a, b]]`"),
        of(
            "never_overlap",
            Shape::Sets(&NEVER_OVERLAP),
            "Fields, one of them a timespan: equal rows never overlap in time",
        ),
        of("rows", Shape::One(&ROWS), "How many rows, and how long they are kept"),
        of("cache", Shape::One(&CACHE), "How long an answer may be reused"),
        of(
            "commands",
            Shape::Named(NameKind::Snake("a command"), &Shape::One(&COMMAND)),
            "Named, atomic changes of one row",
        ),
        of("allow", Shape::One(&ALLOW), "Who may do what"),
        leaf("emit", Leaf::Choices(&["created", "updated", "deleted"]), "Plain writes published"),
        of(
            "routes",
            Shape::Named(NameKind::Route, &Shape::One(&ROUTE)),
            "Public or unversioned paths: `\"GET /{code}\"`",
        ),
        flag("shared", "Not a tenant's: the whole system shares it"),
        leaf("idempotency", REQUIRED, "Whether a key must come with each unsafe call"),
        leaf("if_match", REQUIRED, "Whether a change must name the version it changes"),
        leaf("table", Leaf::Name(NameKind::Identifier), "Name of an existing table"),
        leaf(
            "managed",
            Leaf::Choice(&["no_ddl"]),
            "Somebody else makes and changes `table`: it is served, and never touched by DDL",
        ),
        was(NameKind::Camel("a resource")),
    ],
);

pub(crate) static FIELD: Construct = long(
    "field",
    "A field, or an input of a command",
    &[
        leaf("type", Leaf::Type, "Its type").required(),
        leaf("about", Leaf::Text, "What it is"),
        leaf("min", Leaf::Bound, "Least value, or least length of text"),
        leaf("max", Leaf::Bound, "Greatest value, or greatest length of text in characters"),
        leaf("pattern", Leaf::Text, "RE2 pattern that the whole text must match"),
        flag("unique", "No two rows of a tenant share it"),
        flag("search", "Found by `q`"),
        flag("optional", "May be null"),
        flag("personal", "About a person: redacted in logs, erased on demand"),
        flag("secret", "Never read back"),
        leaf("value", Leaf::Expression, "Default, or computed where it reads fields"),
        leaf("at", Leaf::Choice(&["write", "read", "kept"]), "When the value is taken"),
        leaf(
            "on_delete",
            Leaf::Choice(&["restrict", "clear", "cascade"]),
            "What the deletion of the row referred to does",
        ),
        of("allow", Shape::One(&ALLOW_FIELD), "Who may read and write it, beyond the resource"),
        leaf("column", Leaf::Name(NameKind::Identifier), "Column of an existing table"),
        was(NameKind::Snake("a field")),
    ],
)
.short(Phrase {
    examples: &[
        "string max 40 unique",
        "int 1..99",
        "draft | placed | paid",
        "money = sum(lines.amount)",
        "catalog.Product",
        "many OrderLine 1..50",
    ],
    heads: &[("type", Takes::One)],
    words: &[
        word("min", "min", Takes::One),
        word("max", "max", Takes::One),
        word("pattern", "pattern", Takes::One),
        word("unique", "unique", Takes::Nothing),
        word("search", "search", Takes::Nothing),
        word("optional", "optional", Takes::Nothing),
        word("personal", "personal", Takes::Nothing),
        word("secret", "secret", Takes::Nothing),
        word("on delete", "on_delete", Takes::One),
        word("=", "value", Takes::Rest),
        word("at", "at", Takes::One),
    ],
    range: true,
});

pub(crate) static UNIQUE: Construct = long(
    "unique",
    "Fields that are unique together, perhaps only for some rows",
    &[
        leaf("fields", FIELD_NAMES, "The fields").required(),
        leaf("when", Leaf::Expression, "Only rows for which this holds"),
    ],
);

pub(crate) static NEVER_OVERLAP: Construct = long(
    "never_overlap",
    "Fields, one of them a timespan: equal rows never overlap in time",
    &[leaf("fields", FIELD_NAMES, "The fields").required()],
);

const PERIODS: &[&str] = &["hour", "day", "week", "month", "year"];

pub(crate) static ROWS: Construct = long(
    "rows",
    "How many rows, and how long they are kept",
    &[
        leaf("count", Leaf::Measure, "How many").required(),
        flag("per_tenant", "Of one tenant rather than in all"),
        leaf("per", Leaf::Choice(PERIODS), "Time in which so many come; none: a level"),
        leaf("keep", Leaf::Duration, "How long a row is kept from its creation"),
        leaf("then", Leaf::Choice(&["delete", "erase personal"]), "What happens then"),
    ],
)
.short(Phrase {
    examples: &[
        "50_000 per tenant",
        "5_000 per tenant per month, keep 7 years then erase personal",
    ],
    heads: &[("count", Takes::One)],
    words: &[
        word("per tenant", "per_tenant", Takes::Nothing),
        word("per", "per", Takes::One),
        word("keep", "keep", Takes::Words).after_comma(),
        word("then", "then", Takes::Words),
    ],
    range: false,
});

pub(crate) static CACHE: Construct = long(
    "cache",
    "How long an answer may be reused",
    &[
        leaf("for", Leaf::Duration, "How long").required(),
        leaf(
            "except",
            FIELD_NAMES,
            "Fields that are read anew each time; answers that hold none are reused",
        ),
    ],
)
.short(Phrase { examples: &["5 min"], heads: &[("for", Takes::Words)], words: &[], range: false });

pub(crate) const INPUT: Shape = Shape::Named(NameKind::Snake("an input"), &Shape::One(&FIELD));

pub(crate) static COMMAND: Construct = long(
    "command",
    "A named, atomic change of one row; any other key names a state and its transition",
    &[
        leaf("about", Leaf::Text, "What it does"),
        of("input", INPUT, "What the caller gives"),
        of(
            "get",
            Shape::Named(NameKind::Snake("a value"), EXPRESSIONS),
            "Values looked up before the guard",
        ),
        of("require", Shape::Some(EXPRESSIONS), "Guards: all must hold, else 409"),
        of("set", Shape::Named(NameKind::Snake("a field"), EXPRESSIONS), "Effects"),
        of("by", Shape::Some(&Shape::One(&GRANT)), "Who may call it"),
        leaf("emit", Leaf::Names(NameKind::Event), "Events published with it"),
        leaf(
            "not_during",
            Leaf::Names(NameKind::Snake("a workflow")),
            "Workflows that must not be running on the row",
        ),
        was(NameKind::Snake("a command")),
    ],
)
.others(Others {
    names: NameKind::Snake("a state"),
    shape: Shape::One(&TRANSITION),
    about: "A state field and its transition: `draft | placed -> cancelled`",
});

pub(crate) static TRANSITION: Construct = long(
    "transition",
    "A change of state",
    &[
        leaf("from", Leaf::Names(NameKind::Snake("a state")), "From one of these").required(),
        leaf("to", Leaf::Name(NameKind::Snake("a state")), "To this one").required(),
    ],
)
.short(Phrase {
    examples: &["draft -> placed", "draft | placed -> cancelled"],
    heads: &[("from", Takes::One)],
    words: &[word("->", "to", Takes::Words)],
    range: false,
});

pub(crate) static ROUTE: Construct = long(
    "route",
    "A public read with an effect, or an unversioned path",
    &[
        of("find", Shape::One(&FIND), "The row it shows: `Link by code`").required(),
        leaf("redirect", Leaf::Name(NameKind::Snake("a field")), "Field with the URL to go to"),
        leaf("count", Leaf::Name(NameKind::Snake("a field")), "Counter that is raised"),
        leaf("when", Leaf::Expression, "Further condition for the row to be found"),
    ],
);

pub(crate) static FIND: Construct = long(
    "find",
    "The row that a route shows",
    &[
        leaf("resource", Leaf::Name(NameKind::Camel("a resource")), "The resource").required(),
        leaf("by", Leaf::Name(NameKind::Snake("a field")), "The unique field").required(),
    ],
)
.short(Phrase {
    examples: &["Link by code"],
    heads: &[("resource", Takes::One)],
    words: &[word("by", "by", Takes::One)],
    range: false,
});

/// `with`, as steps, reactions and schedules have it.
pub(crate) const fn inputs(name: &'static str, about: &'static str) -> Key {
    of(name, Shape::Named(NameKind::Snake("an input"), EXPRESSIONS), about)
}
