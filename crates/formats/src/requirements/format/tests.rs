//! What `fmt` changes, and what it must not.

use super::{format, means, printed, settled};
use expect_test::{Expect, expect};

fn check(text: &str, expected: Expect) {
    let once = stable(text);
    expected.assert_eq(&once);
}

/// The printed text; printing it again changes nothing, and neither changes the meaning.
fn stable(text: &str) -> String {
    let once = settled(text).unwrap_or_else(|faults| panic!("{faults:?}\n{text}"));
    let twice = printed(&once).unwrap_or_else(|faults| panic!("{faults:?}\n{once}"));
    assert_eq!(once, twice, "printing is idempotent");
    assert_eq!(means(&once), means(text), "printing keeps the meaning of\n{text}\n{once}");
    assert_eq!(comments(&once), comments(text), "every comment stays, in order");
    assert_eq!(format(text).as_deref(), Ok(once.as_str()));
    once
}

fn comments(text: &str) -> Vec<String> {
    let tree = crate::requirements::tree::parse(0, text);
    tree.comments.into_iter().map(|comment| comment.text).collect()
}

const EXAMPLES: [&str; 4] = [
    include_str!("../../../../../examples/shop/mainstay.yaml"),
    include_str!("../../../../../examples/links/mainstay.yaml"),
    include_str!("../../../../../examples/clinic/mainstay.yaml"),
    include_str!("../../../../../examples/kiosk/mainstay.yaml"),
];

#[test]
fn the_examples_change_only_where_a_line_is_too_long() {
    let mut changes = String::new();
    for text in EXAMPLES {
        let formatted = stable(text);
        let lines: Vec<&str> = formatted.lines().collect();
        for line in text.lines().filter(|line| !lines.contains(line)) {
            changes.push_str(&format!("{:>3} columns: {}\n", line.chars().count(), line.trim()));
        }
    }
    expect![[r#"
        127 columns: reserve: { input: { quantity: int 1..99 }, require: stock >= quantity, set: { stock: stock - quantity }, by: system }
        152 columns: cancel: { status: draft | placed -> cancelled, by: [shopper when own, staff.manager, system], not_during: place_order, emit: order.cancelled }
        110 columns: order.paid: { create: Message, with: { shopper: event.shopper, template: order_paid, order: event.id } }
        116 columns: order.shipped: { create: Message, with: { shopper: event.shopper, template: order_shipped, order: event.id } }
        110 columns: abandon_drafts: { every: 1 h, for: Order, where: status == draft && age > duration('7d'), do: Order.cancel }
    "#]].assert_eq(&changes);
}

#[test]
fn long_forms_become_short_ones() {
    let text = "\
tenancy: { isolation: row, by: org }
goals:
  growth: { factor: 3x, in: 18 months }
  tenants: { count: 40, largest: 25% }
  budget: {amount: 900 USD, per: month}
actors:
  staff:
    proof: oidc
    roles: [picker, manager]
    across_tenants: true
contexts:
  c:
    resources:
      Order:
        fields:
          sku: {type: string, max: 40, unique: true}
          many: {type: int, min: 1, max: 99}
          price: { type: money, value: product.price, at: write }
          kept: { type: text, unique: false }
          told: { type: text, about: shown to people }
        rows: { count: 5_000, per_tenant: true, per: month, keep: 7 years, then: erase personal }
        cache: { for: 5 min }
        unique: [{ fields: [a, b], when: status == open }]
        commands:
          pay: { status: { from: [draft, placed], to: paid }, by: [{ actor: system }] }
        routes: { \"GET /{code}\": { find: { resource: Order, by: sku } } }
workload:
  look: { share: 100%, steps: [{ do: list Order, where: status == paid, sort: -created_at, limit: 5 }] }
";
    check(
        text,
        expect![[r#"
        tenancy: row by org
        goals:
          growth: 3x in 18 months
          tenants: 40, largest 25%
          budget: 900 USD per month
        actors:
          staff: oidc roles picker | manager across tenants
        contexts:
          c:
            resources:
              Order:
                fields:
                  sku: string max 40 unique
                  many: int 1..99
                  price: money = product.price at write
                  kept: { type: text, unique: false }
                  told: { type: text, about: shown to people }
                rows: 5_000 per tenant per month, keep 7 years then erase personal
                cache: 5 min
                unique: [[a, b when status == open]]
                commands:
                  pay: { status: draft | placed -> paid, by: system }
                routes: { "GET /{code}": { find: Order by sku } }
        workload:
          look: { share: 100%, steps: [list Order sort -created_at limit 5 where status == paid] }
    "#]],
    );
}

#[test]
fn comments_blank_lines_and_columns_stay_where_they_were() {
    let text = "\
# first


# second
system:   a   # name
title: b                  # far away
actors:
    # before the user
    user: oidc # one
    # after the user

    staff: oidc

  # between
contexts: # open
  c: { # within
    about: x, # of about
    # before resources
    resources: {} # of resources
    # last in c
  }
workload:
  buy:
    share: 1%
    steps:
      # before the first
      - list Order # listed

      - get Order
      # after the last
# the end
";
    check(
        text,
        expect![[r#"
        # first

        # second
        system: a     # name
        title: b                  # far away
        actors:
          # before the user
          user: oidc   # one
          # after the user

          staff: oidc

        # between
        contexts:  # open
          c:   # within
            about: x  # of about
            # before resources
            resources: {}  # of resources
            # last in c
        workload:
          buy:
            share: 1%
            steps:
              # before the first
              - list Order  # listed

              - get Order
              # after the last
        # the end
    "#]],
    );
}

#[test]
fn what_is_too_long_for_a_line_is_broken_from_the_outside_in() {
    let text = "\
contexts: { c: { resources: { R: { fields: { a: string max 40 unique, b: string max 40, c: int 1..5 }, allow: { read: anyone } } } } }
";
    check(
        text,
        expect![[r#"
        contexts:
          c:
            resources:
              R:
                fields: { a: string max 40 unique, b: string max 40, c: int 1..5 }
                allow: { read: anyone }
    "#]],
    );
}

#[test]
fn texts_of_several_lines_are_kept_or_folded() {
    let text = "\
system: a
title: 'one
  two'
summary: |
      kept
        as it is

      to the end
contexts:
  c:
    about: this text goes over
      two lines of the file and is joined, since a plain text has no line breaks of its own in YAML
  d: { about: in a flow
         mapping }
  e:
    about: >+
      keeps its end

  f: { about: \"a\\nb\" }
";
    check(
        text,
        expect![[r#"
        system: a
        title: one two
        summary: |
          kept
            as it is

          to the end
        contexts:
          c:
            about: >-
              this text goes over two lines of the file and is joined, since a plain text has no line breaks
              of its own in YAML
          d: { about: in a flow mapping }
          e:
            about: "keeps its end\n\n"

          f: { about: "a\nb" }
    "#]],
    );
}

#[test]
fn what_needs_quotes_gets_them() {
    let text = "\
contexts:
  c:
    resources:
      R:
        fields: { a: { type: string, value: \"f(a, b)\" }, b: { type: string, value: \"('x: y')\" } }
        rules: { own: \"a in [b, c]\", other: 'it''s' }
";
    check(
        text,
        expect![[r#"
        contexts:
          c:
            resources:
              R:
                fields: { a: "string = f(a, b)", b: "string = ('x: y')" }
                rules: { own: "a in [b, c]", other: 'it''s' }
    "#]],
    );
}

#[test]
fn a_text_that_cannot_be_taken_apart_is_left_alone() {
    for text in ["a: [", "a: 1\na: 2\n", "a: *b\n"] {
        assert!(format(text).is_err(), "{text}");
    }
    assert_eq!(format("").as_deref(), Ok(""));
    assert_eq!(format("# only a comment").as_deref(), Ok("# only a comment\n"));
}

#[test]
fn printing_is_stable_whatever_line_is_lost_or_moved() {
    for (at, text) in EXAMPLES.into_iter().enumerate() {
        let lines: Vec<&str> = text.lines().collect();
        for lost in (at..lines.len()).step_by(STEP) {
            let mut fewer = lines.clone();
            fewer.remove(lost);
            let mut commented = lines.clone();
            commented.insert(lost, "     # a comment  ");
            let mut parted = lines.clone();
            parted.insert(lost, "\n\n");
            let wide: Vec<String> = lines.iter().map(|line| wider(line)).collect();
            let broken = lines[lost]
                .replace("{ ", "{ # within\n          ")
                .replace(", ", ",\n            ");
            let mut spread = lines.clone();
            spread[lost] = &broken;
            let wide = wide.iter().map(String::as_str).collect();
            for variant in [fewer, commented, parted, spread, wide] {
                let variant = variant.join("\n");
                if printed(&variant).is_ok() {
                    stable(&variant);
                }
            }
        }
    }
}

/// Lines of the examples between two that are changed; a small one takes minutes.
const STEP: usize = 29;

/// The line with twice its indentation.
fn wider(line: &str) -> String {
    format!("{}{line}", &line[..line.len() - line.trim_start().len()])
}
