use super::read;
use crate::diagnostic::terminal;
use crate::requirements::faults::check;
use expect_test::{Expect, expect};
use ir::expr::Expression;
use ir::model::{FieldType, Grant, Verb};
use ir::{Model, Sources};

const EXAMPLES: [(&str, &str); 4] = [
    ("shop", include_str!("../../../../../examples/shop/mainstay.yaml")),
    ("links", include_str!("../../../../../examples/links/mainstay.yaml")),
    ("clinic", include_str!("../../../../../examples/clinic/mainstay.yaml")),
    ("kiosk", include_str!("../../../../../examples/kiosk/mainstay.yaml")),
];

/// The model of a text without faults.
fn model(text: &str) -> Model {
    let sources = Sources::one("mainstay.yaml", text);
    let (model, diagnostics) = read(&sources);
    assert_eq!(terminal(&sources, &diagnostics, false), "");
    model
}

#[test]
fn every_example_is_read_without_a_fault() {
    for (name, text) in EXAMPLES {
        assert_eq!(model(text).system.value, name);
    }
}

#[test]
fn a_seven_line_model_is_a_model() {
    let text = "system: notes\nactors: {user: oidc}\ncontexts:\n  notes:\n    resources:\n      \
                Note: { fields: { text: string max 200 }, allow: { read: anyone, write: user } }\n";
    let model = model(text);
    let note = &model.contexts[0].resources[0];
    assert_eq!(note.fields[0].max.as_ref().map(|max| max.text.as_str()), Some("200"));
    assert_eq!(note.allow.write[0].actor, "user");
}
