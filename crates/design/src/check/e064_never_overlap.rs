//! # E064 never_overlap without one timespan
//! A `never_overlap` names no timespan, or more than one.
//!
//! **Why**: rows with the same other fields are compared by exactly one span of time.
//!
//! Wrong:
//! ```yaml
//! day: date
//! never_overlap: [doctor, day]
//! ```
//! Right:
//! ```yaml
//! during: timespan
//! never_overlap: [doctor, during]
//! ```

use super::world::Entry;
use ir::source::Span;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E064");

/// The set has `spans` timespans instead of one.
pub(crate) fn fault(entry: &Entry<'_>, span: Span, spans: usize) -> Diagnostic {
    let many = if spans == 0 { "no timespan" } else { "more than one timespan" };
    let message = format!("`never_overlap` of `{}` has {many}", entry.name());
    let fault = Diagnostic::error(CODE, span, message);
    let fault = fault.why("two rows are compared by exactly one span of time");
    let mut fields = entry.model.fields.iter();
    let timespan = fields.rfind(|field| field.ty.value == ir::model::FieldType::Timespan);
    match timespan {
        Some(field) => fault.help(format!("name one of them, `{}`", field.name)),
        None => fault.help("declare a field for it: `during: timespan`"),
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check_resources;
    use expect_test::expect;

    #[test]
    fn a_date_is_no_timespan() {
        let resource = "
            Visit:
              fields: { doctor: actor staff, day: date }
              never_overlap: [doctor, day]
              allow: { read: anyone, write: staff }";
        check_resources(
            resource,
            expect![[r#"
            error[E064]: `never_overlap` of `Visit` has no timespan
             --> mainstay.yaml:8:24
              |
            8 |         never_overlap: [doctor, day]
              |                        ^^^^^^^^^^^^^
              = why: two rows are compared by exactly one span of time
              = help: declare a field for it: `during: timespan`
        "#]],
        );
    }
}
