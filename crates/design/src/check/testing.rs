//! One way to test a code: a model in, the whole terminal output out.

use crate::tests::{CLINIC, KIOSK, LINKS, SHOP};
use expect_test::Expect;
use ir::Sources;

/// Everything that is told of a model, as a terminal shows it.
pub(crate) fn told(model: &str) -> String {
    let sources = Sources::one("mainstay.yaml", model.trim_start_matches('\n'));
    let (model, mut found) = formats::requirements::read(&sources);
    if !ir::diagnostic::has_errors(&found) {
        found.extend(super::check(model).1);
    }
    formats::diagnostic::terminal(&sources, &found, false)
}

/// Pins what is told of a whole model.
pub(crate) fn check(model: &str, expected: Expect) {
    expected.assert_eq(&told(model));
}

/// Pins what is told of resources in a small system with users and staff.
pub(crate) fn check_resources(resources: &str, expected: Expect) {
    check(&with_resources(resources), expected);
}

/// A small system with these resources; they are written with any common indentation.
pub(crate) fn with_resources(resources: &str) -> String {
    let lines: Vec<&str> = resources.lines().filter(|line| !line.trim().is_empty()).collect();
    let indent = |line: &&str| line.len() - line.trim_start().len();
    let common = lines.iter().map(indent).min().unwrap_or(0);
    let mut model = String::from(
        "system: test\n\
         actors: { user: oidc, staff: oidc roles clerk | boss }\n\
         contexts:\n  desk:\n    resources:\n",
    );
    for line in lines {
        model.push_str("      ");
        model.push_str(&line[common..]);
        model.push('\n');
    }
    model
}

/// The model of an example.
pub(crate) fn example(name: &str) -> (Sources, ir::Model, Vec<ir::Diagnostic>) {
    let text = match name {
        "shop" => SHOP,
        "links" => LINKS,
        "clinic" => CLINIC,
        _ => KIOSK,
    };
    let sources = Sources::one(&format!("examples/{name}/mainstay.yaml"), text);
    let (model, found) = formats::requirements::read(&sources);
    (sources, model, found)
}

mod tests {
    use super::example;
    use expect_test::{Expect, expect};

    fn told_of(name: &str, expected: Expect) {
        let (sources, model, mut found) = example(name);
        found.extend(crate::check::check(model).1);
        expected.assert_eq(&formats::diagnostic::terminal(&sources, &found, false));
    }

    #[test]
    fn the_examples_are_free_of_faults() {
        told_of("shop", expect![""]);
        told_of("links", expect![[r#""#]]);
        told_of("clinic", expect![[r#""#]]);
        told_of("kiosk", expect![[r#""#]]);
    }
}
