//! The operations of the API, before any protocol's syntax: router, body validators and OpenAPI
//! all fold over it. `design` makes it from the domain.

pub mod problems;

use crate::domain::{CommandId, ResourceId};
use crate::expr::FieldRef;
use crate::schema::Part;
use serde::Serialize;

/// Characters that a text may have whose field is a sort key: a cursor holds the values of the row
/// that a page ends with, and has to fit into an address.
pub const SORT_KEY_CHARACTERS_MAX: i64 = 255;
/// Rows of one batch at most, children counted.
pub const BATCH_ROWS_MAX: usize = 1_000;

/// Paths that every server answers itself, beside those of its contract.
pub const OWN_PATHS: [&str; 9] = [
    "/",
    "/.well-known/jwks.json",
    "/docs",
    "/livez",
    "/metrics",
    "/openapi.json",
    "/openapi.yaml",
    "/readyz",
    "/startupz",
];

/// All operations.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Contract {
    /// Version prefix, `v1`.
    pub version: String,
    /// Operations, by resource in order, then in the order of [`OperationKind`].
    pub operations: Vec<Operation>,
    /// Every problem type that the API can answer with.
    pub problems: Vec<Problem>,
}

impl Contract {
    /// What the segment of a public path such as `/{code}` cannot be, for at or below that address
    /// the server answers something of its own. Sorted; empty where the path goes on after it.
    pub fn taken_segments<'a>(&'a self, path: &str) -> Vec<&'a str> {
        let Some((prefix, rest)) = path.split_once('{') else { return Vec::new() };
        if !rest.ends_with('}') {
            return Vec::new();
        }
        let served = self.operations.iter().map(|operation| operation.path.as_str());
        let mut taken: Vec<&str> = OWN_PATHS
            .into_iter()
            .chain(served)
            .filter_map(|path| path.strip_prefix(prefix)?.split('/').next())
            .filter(|segment| !segment.starts_with('{'))
            .collect();
        // Clients resolve these before they ask.
        taken.extend([".", ".."]);
        taken.sort_unstable();
        taken.dedup();
        taken
    }
}

/// One operation. Parameters, bodies and statuses follow from its kind and its resource.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Operation {
    /// `listProducts`, `placeOrder`
    pub id: String,
    /// What it does.
    pub kind: OperationKind,
    /// The resource; none for the system's own operations.
    pub resource: Option<ResourceId>,
    /// HTTP method in capitals.
    pub method: &'static str,
    /// Path template, `/v1/orders/{id}/place`.
    pub path: String,
    /// One line for people.
    pub summary: String,
    /// A caller without token may be allowed.
    pub anonymous: bool,
    /// Only `system` may call it: not in the public document.
    pub internal: bool,
    /// Slugs of the problems it can answer with ([`Contract::problems`]).
    pub problems: Vec<&'static str>,
    /// Filters and sort keys of a list; empty for others.
    pub filters: Vec<Filter>,
    /// Members `expand` takes: children and references.
    pub expands: Vec<String>,
    /// `q` is understood.
    pub searchable: bool,
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    /// `GET /v1/orders`
    List,
    /// `POST /v1/orders`
    Create,
    /// `GET /v1/orders/{id}`; also HEAD, as for every GET
    Get,
    /// `PUT /v1/orders/{id}`
    Replace,
    /// `PATCH /v1/orders/{id}`
    Update,
    /// `DELETE /v1/orders/{id}`
    Delete,
    /// `POST /v1/orders/{id}/place`
    Command(CommandId),
    /// A path of `routes`, by its index.
    Route(usize),
    /// `POST /v1/batch`
    Batch,
}

/// A field, or a part of one, that a list can be narrowed and sorted by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Filter {
    /// Parameter name without operator: `total`, `created_at`; money also has `total.currency`,
    /// a timespan `during.start` and `during.end` (and not `during`).
    pub name: String,
    /// The field.
    pub field: FieldRef,
    /// The part of it that is compared; `Units` for the amount of money.
    pub part: Part,
    /// Operators it takes beside the bare name, which is `eq`.
    pub operators: Vec<&'static str>,
    /// May stand in `sort`. A list is in the order of whole fields: a timespan's is that of its
    /// start, money's that of its amount, so the other part is none.
    pub sortable: bool,
}

/// A problem type (RFC 9457).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Last segment of the `type` URI; the page of it is in the document.
    pub slug: &'static str,
    /// HTTP status.
    pub status: u16,
    /// Title.
    pub title: &'static str,
    /// What it means and what a client does about it.
    pub meaning: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_answers_itself_is_no_segment_of_a_public_path() {
        let operation = |path: &str| Operation {
            id: String::new(),
            kind: OperationKind::Batch,
            resource: None,
            method: "GET",
            path: path.to_owned(),
            summary: String::new(),
            anonymous: true,
            internal: false,
            problems: Vec::new(),
            filters: Vec::new(),
            expands: Vec::new(),
            searchable: false,
        };
        let paths = ["/v1/links/{id}", "/{code}", "/go/{code}", "/go/to/{id}", "/go/{code}/stats"];
        let operations = paths.map(operation).into();
        let contract = Contract { operations, ..Contract::default() };
        let root = contract.taken_segments("/{code}").join(" ");
        let own = ".well-known docs go livez metrics openapi.json openapi.yaml readyz startupz v1";
        assert_eq!(root, format!(" . .. {own}"));
        assert_eq!(contract.taken_segments("/go/{code}"), [".", "..", "to"]);
        assert!(contract.taken_segments("/go/{code}/stats").is_empty());
    }
}
