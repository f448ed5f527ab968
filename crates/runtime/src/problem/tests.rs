//! Problems as they go out.

use super::*;
use expect_test::expect;

const TRACE: TraceId = TraceId([0xab; 16]);

#[test]
fn a_problem_holds_the_members_of_rfc_9457_in_order() {
    let problem = Problem::new(kinds::INVALID_VALUE)
        .detail("2 values do not fit")
        .at("/lines/0/quantity", "must be 1 to 99")
        .parameter("limit", "must be a number")
        .member("allowed", vec!["draft"])
        .member("status", 200);
    let text = serde_json::to_string_pretty(&problem.in_trace(TRACE)).unwrap();
    expect![[r#"
        {
          "type": "urn:problem:invalid-value",
          "title": "A value is outside its type or constraint",
          "status": 422,
          "detail": "2 values do not fit",
          "instance": "urn:trace:abababababababababababababababab",
          "trace_id": "abababababababababababababababab",
          "errors": [
            {
              "pointer": "/lines/0/quantity",
              "detail": "must be 1 to 99"
            },
            {
              "parameter": "limit",
              "detail": "must be a number"
            }
          ],
          "allowed": [
            "draft"
          ]
        }"#]]
    .assert_eq(&text);
}

#[test]
fn more_faults_than_the_limit_are_counted() {
    let mut problem = Problem::new(kinds::INVALID_VALUE);
    for at in 0..ERRORS_MAX + 3 {
        problem = problem.at(format!("/{at}"), "no");
    }
    let value = serde_json::to_value(problem.in_trace(TRACE)).unwrap();
    assert_eq!(value["errors"].as_array().unwrap().len(), ERRORS_MAX);
    assert_eq!(value["errors_left_off"], 3);
}

#[test]
fn a_pointer_token_is_escaped() {
    assert_eq!(pointer_token("a/b~c"), "a~1b~0c");
}
