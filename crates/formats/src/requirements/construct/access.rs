//! Who calls, and who may do what.

use super::{
    Construct, Key, Leaf, NameKind, Phrase, Shape, Takes, flag, leaf, long, of, was, word,
};

const ACTOR_NAME: NameKind = NameKind::Snake("an actor");

pub(crate) static ACTOR: Construct = long(
    "actor",
    "Who calls: people or programs of one kind",
    &[
        leaf("proof", Leaf::Choice(&["oidc", "api_key"]), "How it proves who it is").required(),
        leaf("roles", Leaf::Names(NameKind::Snake("a role")), "Roles that one of them may have"),
        leaf("limit", Leaf::Rate, "Requests that one of them may make").environment(),
        flag("across_tenants", "May act in every tenant; each look is audited"),
        of(
            "claims",
            Shape::Named(NameKind::Word, &Shape::Leaf(Leaf::Text)),
            "Our claim (`actor`, `roles`, `sub`, the tenancy claim) and the provider's name for it",
        ),
        leaf("issuer", Leaf::Url, "Issuer of its tokens, where it differs from the others'")
            .environment(),
        was(ACTOR_NAME),
    ],
)
.short(Phrase {
    examples: &["oidc", "oidc roles picker | manager", "api_key limit 50 per second"],
    heads: &[("proof", Takes::One)],
    words: &[
        word("roles", "roles", Takes::One),
        word("limit", "limit", Takes::Words),
        word("across tenants", "across_tenants", Takes::Nothing),
    ],
    range: false,
});

pub(crate) static GRANT: Construct = long(
    "grant",
    "One who may do it: `anyone`, `system`, an actor or an actor's role, with a condition",
    &[
        leaf(
            "actor",
            Leaf::Name(NameKind::Reference),
            "`anyone`, `system`, `staff`, `staff.picker`",
        )
        .required(),
        leaf("when", Leaf::Expression, "The condition under which it may"),
    ],
)
.short(Phrase {
    examples: &["anyone", "staff.manager", "shopper when own"],
    heads: &[("actor", Takes::One)],
    words: &[word("when", "when", Takes::Rest)],
    range: false,
});

const GRANTS: Shape = Shape::Some(&Shape::One(&GRANT));

const READ: Key = of("read", GRANTS, "Who may read");
const WRITE: Key = of("write", GRANTS, "Who may create, update and delete");

pub(crate) static ALLOW: Construct = long(
    "allow",
    "Who may do what; nothing is allowed that is not said",
    &[
        READ,
        WRITE,
        of("create", GRANTS, "Who may create"),
        of("update", GRANTS, "Who may update; it must hold before and after the change"),
        of("delete", GRANTS, "Who may delete"),
    ],
);

pub(crate) static ALLOW_FIELD: Construct =
    long("allow_field", "Who may read and write this field", &[READ, WRITE]);

pub(crate) static ALLOW_VIEW: Construct = long("allow_view", "Who may read this view", &[READ]);
