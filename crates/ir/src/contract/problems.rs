//! Every problem type that an API of Mainstay answers with: the one table that the running
//! backend, the OpenAPI text and the document's error catalogue look at.

use super::Problem;

/// What stands before the slug in the `type` of an answer.
pub const TYPE_PREFIX: &str = "urn:problem:";

macro_rules! problems {
    ($($name:ident $slug:literal $status:literal $title:literal $meaning:literal;)*) => {
        $(
            #[doc = $meaning]
            pub const $name: Problem = Problem {
                slug: $slug,
                status: $status,
                title: $title,
                meaning: $meaning,
            };
        )*

        /// All of them, by status, then as they stand here.
        pub const ALL: &[Problem] = &[$($name),*];
    };
}

problems! {
    MALFORMED_REQUEST "malformed-request" 400 "The request breaks the rules of HTTP"
        "The framing, the target or a header cannot be read safely. The connection is closed.";
    MALFORMED_BODY "malformed-body" 400 "The body cannot be read"
        "The body is not UTF-8 or not well-formed JSON, repeats a member or nests too deeply. \
         Sending it again does not help.";
    UNKNOWN_MEMBER "unknown-member" 400 "A member of the body is not known"
        "The body holds a member that this operation does not take. Leave it out or mend its name.";
    READ_ONLY_MEMBER "read-only-member" 400 "A member of the body is read-only"
        "The body sets a member that the server computes, copies or fills from the caller. Leave \
         it out.";
    UNKNOWN_PARAMETER "unknown-parameter" 400 "A query parameter is not known"
        "The query holds a parameter, field or operator that this operation does not take. It is \
         never ignored, for a dropped filter would return every row.";
    INVALID_PARAMETER "invalid-parameter" 400 "A parameter cannot be read"
        "A path, query or header parameter does not have the form of its type. Mend the parameter.";
    INVALID_CURSOR "invalid-cursor" 400 "The cursor does not belong to this list"
        "The cursor was not made by this server for this filter, order, caller and tenant. Begin \
         again without it.";
    KEY_REQUIRED "key-required" 400 "An idempotency key is required"
        "This operation is refused without an `Idempotency-Key`. Send one, and the same one when \
         the call is repeated.";
    UNAUTHENTICATED "unauthenticated" 401 "The caller is not known"
        "The token or key is missing, expired, revoked or not meant for this API. Get a new one.";
    TENANT_UNKNOWN "tenant-unknown" 401 "The tenant is not known"
        "Neither the token nor the host names a tenant, or the host names one that nobody with a \
         token has written for yet. Send a token, or call the tenant's host.";
    FORBIDDEN "forbidden" 403 "The caller may not do this"
        "The caller may see this, but no rule allows the operation. `detail` names the rules that \
         would.";
    TENANT_MISMATCH "tenant-mismatch" 403 "Token and host name different tenants"
        "The tenant of the token is not the tenant of the host. Call the host of the token's \
         tenant.";
    NOT_FOUND "not-found" 404 "There is no such thing"
        "No such path or row, or the caller may not know of it.";
    METHOD_NOT_ALLOWED "method-not-allowed" 405 "The path does not take this method"
        "`Allow` names the methods that this path takes.";
    NOT_ACCEPTABLE "not-acceptable" 406 "The answer has no such form"
        "No media type or version named in `Accept` or `API-Version` is served here.";
    REQUEST_TIMEOUT "request-timeout" 408 "The request came too slowly"
        "The request was not complete in time. It had no effect and may be sent again.";
    DUPLICATE "duplicate" 409 "Another row has this value"
        "A unique value, or set of values, is taken. `errors` point to the members.";
    OVERLAP "overlap" 409 "Another row overlaps this span"
        "Rows with these values must not overlap in time, and one does.";
    ILLEGAL_TRANSITION "illegal-transition" 409 "The state does not allow this"
        "The command does not start from the state the row is in. `from`, `to` and `allowed` say \
         what is and what could be.";
    GUARD_FAILED "guard-failed" 409 "A condition of the command does not hold"
        "`detail` gives the condition that is false. The call may succeed once it holds.";
    STILL_REFERENCED "still-referenced" 409 "Other rows refer to this one"
        "The row cannot be deleted while others refer to it. Delete or change those first.";
    WORKFLOW_RUNNING "workflow-running" 409 "A workflow is running on this row"
        "The command waits its turn until the workflow has ended. Try again later.";
    OUTSIDE_REFUSED "outside-refused" 409 "A system outside refused"
        "A system outside answered what the model calls a refusal: `detail` names it. The same is \
         refused again.";
    KEY_RUNNING "key-running" 409 "The first call with this key is still running"
        "A call with the same `Idempotency-Key` has not ended. Repeat it after `Retry-After`.";
    VERSION_MISMATCH "version-mismatch" 412 "The row has changed"
        "`If-Match` names another version than the row has, or `If-None-Match` the one it has. \
         Read it again and decide anew.";
    BODY_TOO_LARGE "body-too-large" 413 "The body is too large"
        "The body is longer than this server takes. Send less.";
    URI_TOO_LONG "uri-too-long" 414 "The address is too long"
        "Path and query are longer than this server takes. Use fewer filter terms.";
    UNSUPPORTED_MEDIA_TYPE "unsupported-media-type" 415 "The body has another form"
        "The `Content-Type` or `Content-Encoding` is not taken here; `Accept-Patch` names what \
         PATCH takes.";
    MISDIRECTED "misdirected" 421 "The server does not answer for this host"
        "The host is none of those that this server was given. Call one of its own.";
    INVALID_VALUE "invalid-value" 422 "A value is outside its type or constraint"
        "The body is well-formed, but a value breaks its type, range, length, pattern or a \
         required member is missing. `errors` point to each of them.";
    UNKNOWN_REFERENCE "unknown-reference" 422 "A reference leads nowhere"
        "A member names a row that does not exist or that the caller may not see. `errors` point \
         to it.";
    MIXED_CURRENCIES "mixed-currencies" 422 "Amounts have unlike currencies"
        "A computed amount would add or compare money of different currencies.";
    KEY_REUSED "key-reused" 422 "The key was used for another request"
        "The same `Idempotency-Key` came with another body, query or `If-Match`, or the caller's \
         roles are others by now. Take a new key.";
    PRECONDITION_REQUIRED "precondition-required" 428 "If-Match is required"
        "This resource is changed only with the `ETag` that was read. Send it as `If-Match`.";
    TOO_MANY_REQUESTS "too-many-requests" 429 "Too many requests"
        "The caller's rate is used up. Wait as long as `Retry-After` says.";
    HEADERS_TOO_LARGE "headers-too-large" 431 "The headers are too large"
        "The header fields are larger than this server takes.";
    INTERNAL "internal" 500 "The server failed"
        "A fault of the server; `trace_id` finds it in the logs. Nothing was changed.";
    NOT_IMPLEMENTED "not-implemented" 501 "The server does not run this"
        "The method is unknown, or this part of the model is not run here.";
    OUTSIDE_FAILED "outside-failed" 502 "A system outside did not do what it was asked"
        "It was not reached, did not answer in time, or answered what was not expected: `detail` \
         says which.";
    UNAVAILABLE "unavailable" 503 "The server cannot answer now"
        "The server is full, is stopping or lacks something it needs. Repeat after `Retry-After`.";
    DEADLINE_EXCEEDED "deadline-exceeded" 504 "The answer took too long"
        "The request's deadline passed. A read may be repeated; repeat a write with its \
         `Idempotency-Key`.";
}

impl Problem {
    /// The `type` of the answer: `urn:problem:not-found`.
    pub fn type_uri(&self) -> String {
        format!("{TYPE_PREFIX}{}", self.slug)
    }
}

/// The problem of a slug.
pub fn named(slug: &str) -> Option<Problem> {
    ALL.iter().find(|problem| problem.slug == slug).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_unique_and_stand_in_the_order_of_their_status() {
        for pair in ALL.windows(2) {
            assert!(pair[0].status <= pair[1].status, "{} stands too late", pair[1].slug);
        }
        for (at, problem) in ALL.iter().enumerate() {
            assert!(ALL[..at].iter().all(|other| other.slug != problem.slug));
            assert_eq!(named(problem.slug), Some(*problem));
        }
        assert_eq!(named("nothing"), None);
    }
}
