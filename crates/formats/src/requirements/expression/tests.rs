//! Precedence, literals, faults and places of expressions.

use super::{parse, print};
use expect_test::{Expect, expect};
use ir::expr::{Node, Tree};
use ir::{Sources, Span};

/// Every expression in its canonical form, or its first fault, one a line.
fn check(texts: &[&str], expected: Expect) {
    let mut out = String::new();
    for text in texts {
        match parse(text, Span::default()) {
            Ok(expression) => {
                let printed = print(&expression.tree);
                let again = parse(&printed, Span::default()).expect("what is printed is read");
                assert_eq!(shape(&again.tree), shape(&expression.tree), "{text} -> {printed}");
                out.push_str(&format!("{text}  =>  {}\n", shape(&expression.tree)));
            }
            Err(fault) => {
                let span = fault.primary.span;
                let help = fault.help.map(|help| format!(" ({help})")).unwrap_or_default();
                let place = format!("{}..{}", span.start, span.end);
                out.push_str(&format!("{text}  !!  {place} {}{help}\n", fault.message));
            }
        }
    }
    expected.assert_eq(&out);
}

/// The tree with all its parentheses.
fn shape(tree: &Tree) -> String {
    let all = |items: &[Tree]| items.iter().map(shape).collect::<Vec<_>>().join(", ");
    match &tree.node {
        Node::Member(of, name) => format!("{}.{name}", shape(of)),
        Node::Call(name, arguments) => format!("{name}({})", all(arguments)),
        Node::Not(inner) => format!("(not {})", shape(inner)),
        Node::Negate(inner) => format!("(-{})", shape(inner)),
        Node::Binary(operator, left, right) => {
            format!("({operator:?} {} {})", shape(left), shape(right))
        }
        Node::List(items) => format!("[{}]", all(items)),
        Node::Null | Node::Bool(_) | Node::Int(_) | Node::Decimal { .. } => print(tree),
        Node::Text(_) | Node::Name(_) => print(tree),
    }
}

#[test]
fn operators_bind_as_in_cel_and_the_word_not_as_in_sql() {
    let texts = [
        "a || b && c",
        "a or b and not c",
        "a && b && c",
        "a - b - c * d",
        "not a == b",
        "!a == b",
        "!a.b",
        "-a * -1",
        "- -a",
        "not not a",
        "(a or b) and c",
        "a - (b - c)",
        "a.b.c == d.e",
        "status in [draft, placed]",
        "x not in [1, 2]",
        "x in list_field",
        "if(a > 1, b, c + 1)",
        "count()",
        "sum(lines.amount) >= 10.50",
        "age > duration('7d')",
        "(not a) == b",
    ];
    check(
        &texts,
        expect![[r#"
        a || b && c  =>  (Or a (And b c))
        a or b and not c  =>  (Or a (And b (not c)))
        a && b && c  =>  (And (And a b) c)
        a - b - c * d  =>  (Subtract (Subtract a b) (Multiply c d))
        not a == b  =>  (not (Equal a b))
        !a == b  =>  (Equal (not a) b)
        !a.b  =>  (not a.b)
        -a * -1  =>  (Multiply (-a) (-1))
        - -a  =>  (-(-a))
        not not a  =>  (not (not a))
        (a or b) and c  =>  (And (Or a b) c)
        a - (b - c)  =>  (Subtract a (Subtract b c))
        a.b.c == d.e  =>  (Equal a.b.c d.e)
        status in [draft, placed]  =>  (In status [draft, placed])
        x not in [1, 2]  =>  (not (In x [1, 2]))
        x in list_field  =>  (In x list_field)
        if(a > 1, b, c + 1)  =>  if((Greater a 1), b, (Add c 1))
        count()  =>  count()
        sum(lines.amount) >= 10.50  =>  (GreaterEqual sum(lines.amount) 10.50)
        age > duration('7d')  =>  (Greater age duration('7d'))
        (not a) == b  =>  (Equal (not a) b)
    "#]],
    );
}

#[test]
fn literals_are_exact() {
    let texts = [
        "50_000",
        "12.50",
        "0.05",
        "-9223372036854775808",
        "'it''s'",
        r"'it\'s'",
        r#""say \"hi\"\n""#,
        "null",
        "true != false",
        "'日本語' == ünï",
    ];
    check(
        &texts,
        expect![[r#"
        50_000  =>  50000
        12.50  =>  12.50
        0.05  =>  0.05
        -9223372036854775808  =>  -9223372036854775808
        'it''s'  !!  4..7 `'s'` does not continue the expression
        'it\'s'  =>  'it\'s'
        "say \"hi\"\n"  =>  'say "hi"\n'
        null  =>  null
        true != false  =>  (NotEqual true false)
        '日本語' == ünï  !!  15..17 `ü` has no meaning in an expression
    "#]],
    );
}

#[test]
fn each_fault_has_its_place_and_its_cure() {
    let texts = [
        "",
        "a ==",
        "a = b",
        "a & b",
        "a | b",
        "a ? b : c",
        "{a: 1}",
        "a < b < c",
        "a b",
        "order failed",
        "a)",
        "(a",
        "f(a, b",
        "f(a,, b)",
        "x in [a, b",
        "[a, b]",
        "a.",
        "a.1",
        "name.matches('x')",
        "7d",
        "1__0",
        "12_",
        "9223372036854775808",
        "99999999999999999999999999999",
        "'open",
        r"'\d'",
        "a == not b",
        "a $ b",
    ];
    check(
        &texts,
        expect![[r#"
          !!  0..0 an expression is missing here
        a ==  !!  4..4 the expression ends before an operand
        a = b  !!  2..3 `=` has no meaning in an expression (equality is written `==`)
        a & b  !!  2..3 `&` has no meaning in an expression (both of two conditions are written `a && b`)
        a | b  !!  2..3 `|` has no meaning in an expression (either of two conditions is written `a || b`)
        a ? b : c  !!  2..3 `?` has no meaning in an expression (a choice is written `if(condition, then, otherwise)`)
        {a: 1}  !!  0..1 `{` has no meaning in an expression (there are no maps in expressions)
        a < b < c  !!  6..7 comparisons do not chain (compare twice: `a < b && b < c`)
        a b  !!  2..3 `b` does not continue the expression (join two conditions with `&&` or `||`; put text in quotes: `('two words')`)
        order failed  !!  6..12 `failed` does not continue the expression (join two conditions with `&&` or `||`; put text in quotes: `('two words')`)
        a)  !!  1..2 `)` does not continue the expression (this parenthesis was never opened)
        (a  !!  2..2 the expression ends before a closing parenthesis
        f(a, b  !!  6..6 the expression ends before a closing parenthesis
        f(a,, b)  !!  4..5 an operand was expected before `,`
        x in [a, b  !!  10..10 the expression ends before a closing bracket
        [a, b]  !!  0..1 an operand was expected before `[` (a list stands only on the right of `in`: `x in [a, b]`)
        a.  !!  2..2 the expression ends before a name after the point
        a.1  !!  2..3 a name after the point was expected before `1`
        name.matches('x')  !!  5..12 `matches` is called like a method (write the subject inside: `matches(name, …)`)
        7d  !!  0..2 `7d` is no number (a length of time is written `duration('7d')`)
        1__0  !!  0..4 `_` stands between two digits of a number
        12_  !!  0..3 `_` stands between two digits of a number
        9223372036854775808  !!  0..19 this whole number is too large (the largest is 9_223_372_036_854_775_807)
        99999999999999999999999999999  !!  0..29 a number has at most 28 digits
        'open  !!  0..5 this text has no closing '
        '\d'  !!  1..3 `\d` is no escape (a backslash itself is written twice: `\\d`)
        a == not b  !!  5..8 an operand was expected before `not` (put the negation in parentheses: `(not x)`)
        a $ b  !!  2..3 `$` has no meaning in an expression
    "#]],
    );
}

#[test]
fn every_node_knows_its_place() {
    let text = "shopper == me && sum(lines.amount) > 5";
    let sources = Sources::one("m", text);
    let expression = parse(text, Span::default()).expect("a good expression");
    let mut found = Vec::new();
    places(&expression.tree, &mut found);
    let shown = |span: &Span| &sources.files[0].text[span.start as usize..span.end as usize];
    let texts: Vec<&str> = found.iter().map(shown).collect();
    let wanted = [
        text,
        "shopper == me",
        "shopper",
        "me",
        "sum(lines.amount) > 5",
        "sum(lines.amount)",
        "lines.amount",
        "lines",
        "5",
    ];
    assert_eq!(texts, wanted);
}

fn places(tree: &Tree, found: &mut Vec<Span>) {
    found.push(tree.span);
    match &tree.node {
        Node::Member(of, _) | Node::Not(of) | Node::Negate(of) => places(of, found),
        Node::Call(_, items) | Node::List(items) => items.iter().for_each(|i| places(i, found)),
        Node::Binary(_, left, right) => [left, right].into_iter().for_each(|t| places(t, found)),
        Node::Null | Node::Bool(_) | Node::Int(_) | Node::Decimal { .. } => {}
        Node::Text(_) | Node::Name(_) => {}
    }
}

#[test]
fn no_expression_is_too_deep_or_too_long_to_be_refused() {
    let deep = [
        format!("{}a{}", "(".repeat(1_000), ")".repeat(1_000)),
        format!("{}a", "!".repeat(4_000)),
        format!("{}a", "not ".repeat(1_000)),
        format!("{}a", "-".repeat(4_000)),
        format!("{}a", "f(".repeat(2_000)),
        format!("x{}", " in [x".repeat(600)),
        format!("a{}", " + a".repeat(1_000)),
        format!("a{}", ".a".repeat(2_000)),
        format!("a{}", " || a".repeat(800)),
        "a".repeat(100_000),
    ];
    for text in deep {
        let fault = parse(&text, Span::default()).expect_err("too deep");
        assert_eq!(fault.code.0, "E016", "{}", fault.message);
    }
}
