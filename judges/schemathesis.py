"""What schemathesis is told beside the contract: a key of its own for each valid call, and which
refusals of valid data have a reason that a schema cannot say. `schemathesis.toml` loads it."""

import itertools
import re

import schemathesis

numbers = itertools.count(1)

# Problem types that valid data may be refused with, and where a type is not enough, the details.
REASONS = {
    "invalid-cursor": None,
    "unknown-reference": None,
    "key-reused": None,
    "mixed-currencies": None,
    "version-mismatch": None,
    # A filter or sort key on a field that this caller may not read; too many filters; a field that
    # is sorted by in both directions; a member asked for by `fields` that the caller may not read.
    "unknown-parameter": r"^is no parameter of this list$",
    "invalid-parameter": r"^is one of more than \d+ terms$|^`\w+` is no sort key of this list$|^names `\w+` twice$"
    r"|in a field that you may not read$|^`\w+` is no member of the row$"
    r"|^is no resource whose entries you may see$",
    # The member of an actor, for a caller who is that actor.
    "read-only-member": r"caller",
    # The member of an actor, for any other caller; a span that ends too early.
    "invalid-value": r"^is required$|^must be after `start`$",
}


@schemathesis.hook
def before_call(context, case, kwargs):
    """Else one key would stand in nearly every call, and the first one would refuse the others."""
    positive = case.meta is not None and case.meta.generation.mode.is_positive
    if positive and case.headers and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = f"call-{next(numbers)}"


@schemathesis.check
def refused_with_a_reason(context, response, case):
    """Valid data is refused only for what a schema cannot say."""
    positive = case.meta is not None and case.meta.generation.mode.is_positive
    if not positive or response.status_code not in (400, 412, 422):
        return
    if case.path.endswith("/import"):
        return  # Lines of rows are a text to a schema: what they hold it does not say.
    problem = response.json()
    errors = problem.get("errors", [])
    if any(error.get("pointer", "").startswith("/operations/") for error in errors):
        return  # A batch says of each operation what that operation takes; its schema does not.
    kind = problem["type"].removeprefix("urn:problem:")
    assert kind in REASONS, f"valid data was refused as {kind}: {errors}"
    for error in errors:
        # Where values are refused for unlike reasons, each that is not of the problem's says its own.
        own = error.get("code", kind)
        assert own in REASONS, f"valid data was refused as {own}: {error}"
        detail = REASONS[own]
        assert not detail or re.search(detail, error["detail"]), f"valid data was refused as {own}: {error}"
