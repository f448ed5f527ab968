//! What an expression may speak of at the place where it stands.

use crate::check::place::Place;
use crate::check::world::{Meaning, World};
use ir::domain::{ActorId, ResourceId};
use ir::expr::Type;
use ir::model::At;
use std::collections::BTreeMap;

/// What an expression is for; decides what it may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Default or computed value of a field: own aggregate only.
    Field,
    /// A field with `at …`: may follow references, also to other contexts.
    FieldAt,
    /// Condition of a grant: also a filter of lists.
    Allow,
    /// `require` of a command.
    Guard,
    /// `set` of a command.
    Effect,
    /// `get` of a command: follows references.
    Get,
    /// `when` of a `unique`: a condition of a partial index.
    UniqueWhen,
    /// Condition of a route, schedule or journey step.
    Filter,
    /// Key of a view.
    ViewKey,
    /// Value of a view: one aggregate.
    ViewValue,
    /// Reaction: the event alone.
    Reaction,
    /// Step of a workflow.
    Step,
}

impl Use {
    /// May it ask another context?
    pub(crate) fn crosses(self) -> bool {
        match self {
            Self::FieldAt | Self::Get | Self::Step => true,
            Self::Field
            | Self::Allow
            | Self::Guard
            | Self::Effect
            | Self::UniqueWhen
            | Self::Filter
            | Self::ViewKey
            | Self::ViewValue
            | Self::Reaction => false,
        }
    }

    /// May it read another aggregate of its own context?
    pub(crate) fn relates(self) -> bool {
        match self {
            Self::FieldAt
            | Self::Get
            | Self::Step
            | Self::Allow
            | Self::Guard
            | Self::Effect
            | Self::Filter => true,
            Self::Field | Self::UniqueWhen | Self::ViewKey | Self::ViewValue | Self::Reaction => {
                false
            }
        }
    }

    /// May it read a field that is copied at such a moment? What is asked of its owner at each
    /// read is in no table, and a replica may be behind, which guards and effects must not be.
    pub(crate) fn reads_copy(self, at: At) -> bool {
        match (self, at) {
            (_, At::Write) => true,
            (Self::FieldAt | Self::Get | Self::Step, At::Read | At::Kept) => true,
            (Self::Guard | Self::Effect, At::Read | At::Kept) => false,
            (_, At::Kept) => true,
            (_, At::Read) => false,
        }
    }

    /// Does it become a condition of a query?
    pub(crate) fn queries(self) -> bool {
        match self {
            Self::Allow | Self::Filter | Self::UniqueWhen => true,
            Self::Field
            | Self::FieldAt
            | Self::Guard
            | Self::Effect
            | Self::Get
            | Self::ViewKey
            | Self::ViewValue
            | Self::Reaction
            | Self::Step => false,
        }
    }
}

/// Who `me` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Me {
    /// A caller of that actor.
    Actor(ActorId),
    /// There is none here, for this reason.
    Nobody(&'static str),
}

/// An input of a command, or a value it got.
#[derive(Debug, Clone)]
pub(crate) struct Given<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// Its type; none where that is at fault already.
    pub(crate) ty: Option<Type>,
}

/// The members of an event's data.
#[derive(Debug, Clone, Default)]
pub(crate) struct EventShape<'a> {
    /// By name.
    pub(crate) members: BTreeMap<&'a str, Meaning>,
    /// A system outside tells of it: an id there is that of whatever row it is used for.
    pub(crate) inbound: bool,
}

/// The answer of an earlier step.
#[derive(Debug, Clone)]
pub(crate) struct Answer<'a> {
    /// Name of the step.
    pub(crate) step: &'a str,
    /// Members of its answer.
    pub(crate) members: BTreeMap<&'a str, Option<Type>>,
}

/// Everything an expression may name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a, 'm> {
    pub(crate) world: &'a World<'m>,
    /// Where it stands, for messages.
    pub(crate) place: Place<'a>,
    pub(crate) purpose: Use,
    /// Whose fields are bare names.
    pub(crate) row: Option<ResourceId>,
    pub(crate) me: Me,
    pub(crate) input: &'a [Given<'a>],
    pub(crate) got: &'a [Given<'a>],
    /// The child that `item` is.
    pub(crate) item: Option<ResourceId>,
    pub(crate) event: Option<&'a EventShape<'a>>,
    pub(crate) steps: &'a [Answer<'a>],
}

impl<'a, 'm> Scope<'a, 'm> {
    /// The fields of a row and nothing else.
    pub(crate) fn row(
        world: &'a World<'m>,
        place: Place<'a>,
        purpose: Use,
        row: Option<ResourceId>,
    ) -> Self {
        let me = Me::Nobody("no caller is known here");
        let (input, got, steps) = (&[][..], &[][..], &[][..]);
        Self { world, place, purpose, row, me, input, got, item: None, event: None, steps }
    }
}
