//! What the fuzzer of the served contracts is told: no check is left out, and what is widened is
//! widened with a reason. The file is pinned, so that a wider one is looked at.

use crate::house::top;
use expect_test::expect;

fn told() -> String {
    std::fs::read_to_string(top().join("schemathesis.toml")).expect("the file is there")
}

#[test]
fn the_fuzzer_is_told_what_a_schema_cannot_say_and_nothing_else() {
    expect![[r##"
        # How schemathesis reads the contracts of the examples: every check is on, and none is excluded.
        # Widened is only what a JSON Schema has no word for, each with its reason. `judges/schemathesis.py`
        # holds a status that is widened here to the problem types that are its reason.
        hooks = "judges/schemathesis.py"
        request-timeout = 10

        # What an earlier run found out would make the next one another.
        [cache]
        enabled = false

        [checks]
        enabled = true

        # 428: the status of a missing `If-Match` (RFC 6585). 404: a row that the caller may not see is not
        # there for it, whatever header is missing.
        [checks.missing_required_header]
        expected-statuses = ["400", "401", "403", "404", "406", "415", "422", "428"]

        # 414 of a query that is wrong: what is too long is refused before it is read (RFC 9110, 15.5.15).
        [checks.negative_data_rejection]
        expected-statuses = ["400", "401", "403", "404", "405", "406", "409", "414", "415", "422", "428", "429"]

        # 400 of a read: a `cursor` is good for the list, filters and caller that it was made for; a field
        # that the caller may not read cannot be filtered by, sorted by or asked for; a field is a sort key
        # once; all filters together are 20 at most.
        [[operations]]
        include-method = "GET"
        [operations.checks.positive_data_acceptance]
        expected-statuses = ["2xx", "3xx", "400", "401", "403", "404", "429"]

        # 400 of a write: a member that is filled from the caller is read-only where the caller is that
        # actor. 412: only the server knows which version a row has. 422: a schema knows neither other rows
        # nor the caller. A reference can lead nowhere (`unknown-reference`), a key can have come with
        # another body (`key-reused`), amounts can have unlike currencies (`mixed-currencies`), a span can
        # end before it starts, and a member that is filled from one actor must be given by every other.
        [[operations]]
        include-method = ["POST", "PUT", "PATCH", "DELETE"]
        [operations.checks.positive_data_acceptance]
        expected-statuses = ["2xx", "400", "401", "403", "404", "409", "412", "422", "429"]

        # 412 of an invalid body: whether the row is still the one that was meant is asked before the body
        # is read as a change (RFC 9110, 13.2.1), and only the server knows. 414: as above.
        [operations.checks.negative_data_rejection]
        expected-statuses = ["400", "401", "403", "404", "405", "406", "409", "412", "414", "415", "422", "428", "429"]
    "##]].assert_eq(&told());
}

#[test]
fn no_check_operation_or_phase_is_switched_off() {
    let text = told();
    let mut section = "";
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        section = if line.starts_with('[') { line } else { section };
        let off = line == "enabled = false" && section != "[cache]";
        assert!(!off && !line.starts_with("exclude"), "{section} {line}");
        // A fault of the server is never expected.
        assert!(!line.contains("5xx") && !line.contains("\"500\""), "{section} {line}");
    }
    for script in [".ci/fuzz", "judges/fuzz-openapi"] {
        let script = std::fs::read_to_string(top().join(script)).expect("the script is there");
        assert!(!script.contains("--exclude") && !script.contains("--phases"), "{script}");
    }
    let call = std::fs::read_to_string(top().join("judges/fuzz-openapi")).expect("it is there");
    assert!(call.contains("--checks all"), "{call}");
}

/// What schemathesis expects by itself, by check.
const OWN: [(&str, &[&str]); 3] = [
    ("positive_data_acceptance", &["2xx", "3xx", "401", "403", "404", "409", "429"]),
    ("missing_required_header", &["400", "401", "403", "406", "415", "422"]),
    (
        "negative_data_rejection",
        &["400", "401", "403", "404", "405", "406", "409", "415", "422", "428", "429"],
    ),
];

#[test]
fn each_widened_status_has_its_reason_above_it() {
    let mut widened = Vec::new();
    for block in told().split("\n\n") {
        let Some(statuses) = block.lines().find(|line| line.starts_with("expected-statuses"))
        else {
            continue;
        };
        let (check, own) =
            OWN.iter().find(|(check, _)| block.contains(check)).expect("a check that is widened");
        for status in statuses.split('"').filter(|word| word.len() == 3 && !own.contains(word)) {
            let said = block.lines().any(|line| line.starts_with('#') && line.contains(status));
            assert!(said, "{status} of {check} has no reason in:\n{block}");
            widened.push(format!("{check} {status}"));
        }
    }
    assert_eq!(widened.len(), 9, "{widened:?}");
}
