//! # E036 unknown name in an expression
//! An expression uses a name that means nothing where it stands.
//!
//! **Why**: an expression may read the fields of its own row, the inputs of its command, named
//! rules, enum values beside a field of that enum, and the words `me now age item event`.
//!
//! Wrong:
//! ```yaml
//! require: stok >= quantity
//! ```
//! Right:
//! ```yaml
//! require: stock >= quantity
//! ```
//! Text has quotes of its own: `country: string = ('DE')`.

use super::suggest::{nearest, unknown};
use super::typing::scope::Scope;
use ir::expr::Type;
use ir::source::{Name, Span};
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E036");

/// `name` means nothing in this scope.
pub(crate) fn fault(
    scope: &Scope<'_, '_>,
    name: &str,
    hint: Option<&Type>,
    span: Span,
) -> Diagnostic {
    let mut known: Vec<&str> = Vec::new();
    if let Some(Type::Enum { values }) = hint {
        known.extend(values.iter().map(String::as_str));
    }
    known.extend(scope.input.iter().chain(scope.got).map(|given| given.name));
    if let Some(row) = scope.row {
        let entry = scope.world.entry(row);
        known.extend(entry.fields.keys().chain(entry.rules.keys()));
        known.extend(["id", "created_at", "updated_at", "age"]);
    }
    known.extend(scope.steps.iter().map(|answer| answer.step));
    known.push("now");
    let asked = Name::new(name.to_owned(), span);
    let is_text = hint == Some(&Type::Text) && nearest(name, known.iter().copied()).is_none();
    if is_text {
        let message = format!("unknown name `{name}` in {}", scope.place);
        let fault = Diagnostic::error(CODE, span, message);
        return fault.help(format!("text has quotes of its own, within parentheses: `('{name}')`"));
    }
    unknown(CODE, "name", &asked, scope.place, known.into_iter(), &scope.world.budget)
}

/// An event's data or a step's answer has no such member.
pub(crate) fn member<'n>(
    scope: &Scope<'_, '_>,
    what: &str,
    name: &Name,
    members: impl Iterator<Item = &'n str>,
) -> Diagnostic {
    unknown(CODE, what, name, scope.place, members, &scope.world.budget)
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check_resources;
    use expect_test::expect;

    #[test]
    fn a_misspelt_field_in_a_guard() {
        let resource = "
            Part:
              fields: { stock: int min 0 }
              commands:
                take: { input: { quantity: int 1..9 }, require: stok >= quantity, by: staff }
              allow: { read: anyone, write: staff }";
        check_resources(
            resource,
            expect![[r#"
            error[E036]: unknown name `stok` in `Part.take`
             --> mainstay.yaml:9:59
              |
            9 |           take: { input: { quantity: int 1..9 }, require: stok >= quantity, by: staff }
              |                                                           ^^^^
              = help: did you mean `stock`?
            9 +           take: { input: { quantity: int 1..9 }, require: stock >= quantity, by: staff }
        "#]],
        );
    }

    #[test]
    fn a_bare_word_where_text_is_meant() {
        let resource = "
            Part:
              fields: { country: string max 2 = DE }
              allow: { read: anyone, write: staff }";
        check_resources(
            resource,
            expect![[r#"
                error[E036]: unknown name `DE` in `country` of `Part`
                 --> mainstay.yaml:7:43
                  |
                7 |         fields: { country: string max 2 = DE }
                  |                                           ^^
                  = help: text has quotes of its own, within parentheses: `('DE')`
            "#]],
        );
    }
}
