//! What stands outside the resources, lowered.

use super::{dump, lowered};
use crate::check::testing::check;
use expect_test::expect;

/// Two contexts, an integration, commands with inputs; `outside` is put where events, reactions
/// and schedules go.
const DESK: &str = r#"
system: test
tenancy: row by org
actors: { staff: oidc, partner: api_key }
integrations:
  mail:
    http: https://mail.example
    operations:
      send:
        { post: "/mails/{to}", body: { text: string, about: uuid optional }, idempotent: true }
contexts:
  desk:
    resources:
      Room:
        emit: [created]
        fields:
          name: string max 9
          door: string max 9 secret
          guest: string max 9 personal
          size: decimal(9.2) = 1
        commands:
          fill:
            input: { by: decimal(9.2), why: string max 9 optional }
            set: { size: by }
            by: system
        allow: { read: staff, write: staff }
      Visit:
        fields: { room: Room, at: timestamp, state: new | done }
        commands:
          end: { state: new -> done, by: [staff, system], emit: [visit.ended, visit.told] }
        allow: { read: staff, write: staff }
  log:
    resources:
      Entry:
        fields: { text: string max 40, visit: uuid optional, size: decimal(9.2) = 0 }
        allow: { read: staff }
    reacts:
      visit.ended:
        create: Entry
        with: { text: "'ended'", visit: event.id, size: 2 }
        when: event.at < event.time
      room.created:
        do: mail.send
        with: { to: event.name, text: "'new'", about: event.id }
  rest:
    reacts:
      visit.ended: { do: desk.Room.fill, with: { id: event.room, by: 1 } }
      visit.told: { do: Visit.end }
      room.created: { update: desk.Room, with: { id: event.id, size: 3 } }
events:
  visit.ended: { data: [id, room, at], webhook: partner }
  visit.told: {}
schedules:
  close: { every: 1 h, for: Visit, where: state == new && age > duration('1d'), do: Visit.end }
  fill: { cron: "0 3 * * *", for: Visit, do: room.fill, with: { by: 1.5, why: "'night'" } }
  other: { every: 2 h, for: Visit, do: Room.fill, with: { id: room, by: room.size } }
"#;

#[test]
fn reactions_and_schedules_have_typed_values_and_events_have_no_secrets() {
    expect![[r#"
        room.created of desk.Room: id Reference(ResourceId(0)) name Text size Decimal { precision: 9, scale: 2 } created_at Timestamp updated_at Timestamp (plain)
        event visit.ended of desk.Visit: id Reference(ResourceId(1)) room Reference(ResourceId(0)) at Timestamp to partner
        event visit.told of desk.Visit: id Reference(ResourceId(1))
        log on visit.ended when (event.at < event.time): create log.Entry text: 'ended' visit: event.id size: Decimal { units: 200, scale: 2 }
        log on room.created: mail.send to: event.name text: 'new' about: event.id
        rest on visit.ended: Room.fill event.room by: Decimal { units: 100, scale: 2 }
        rest on visit.told: Visit.end its row
        rest on room.created: update desk.Room event.id size: Decimal { units: 300, scale: 2 }
        schedule close Every(3600.0) desk.Visit when ((state == 'new') && (age > Duration(86400000000))): Visit.end
        schedule fill Cron("0 3 * * *") desk.Visit: room.Room.fill by: Decimal { units: 150, scale: 2 } why: 'night'
        schedule other Every(7200.0) desk.Visit: Room.fill room by: room.size
    "#]].assert_eq(dump(&lowered(DESK)).split_once("\nevent ").expect("events").1);
}

/// Views of sold things; `views` are put into the context.
fn selling(views: &str) -> String {
    format!(
        "
system: test
tenancy: row by org
actors: {{ staff: oidc, customer: oidc }}
contexts:
  sales:
    resources:
      Order:
        emit: [deleted]
        fields:
          sku: string max 20
          customer: actor customer
          total: money
          tip: money optional
          count: int
          weight: decimal(9.2) optional
          parent: Order optional
          state: new | sold
        commands: {{ sell: {{ state: new -> sold, by: staff, emit: order.sold }} }}
        allow: {{ read: staff, write: staff }}
    views:
{views}
events:
  order.sold: {{ data: [id, sku, customer, total, tip, count, weight, parent, state] }}
"
    )
}

#[test]
fn a_value_that_is_no_single_fold_is_worked_out_of_folds_that_nobody_sees() {
    let model = selling(
        "      SoldByDay:
        from: order.sold
        key: { day: date(event.time), sku: event.sku, who: event.customer, of: event.parent }
        set:
          sold: count()
          money: sum(event.total)
          last: max(event.time)
          mean: avg(event.count)
          heavy: avg(event.weight)
          tips: sum(event.tip)
          rest: sum(event.count) - 2 * count()
        allow: { read: [staff, customer when who == me && sold > 1] }
      Gone:
        path: losses
        from: order.deleted
        key: { sku: event.sku }
        set: { lost: count(), last: max(event.updated_at) }
        fresh: 5 s
        allow: { read: staff }
",
    );
    let text = dump(&lowered(&model));
    expect![[r#"
        of order.sold within inf
        sales.SoldByDay /sold-by-day
          day: Date computed date(event.time)
          sku: String ..20 computed event.sku
          who: actor customer computed event.customer
          of: -> sales.Order far Restrict computed event.parent optional
          currency: Text ..3 computed currency(event.total) /[A-Z]{3}/
          sold: Int computed count()
          money: Money { currency: None } computed sum(event.total)
          last: Timestamp computed max(event.time)
          mean: Decimal { precision: 18, scale: 6 } computed (mean_sum / sold)
          heavy: Decimal { precision: 18, scale: 6 } computed if((heavy_count == 0), null, (heavy_sum / heavy_count)) optional
          tips: Money { currency: None } computed sum(event.tip) optional
          rest: Int computed (mean_sum - (2 * sold)) optional
          mean_sum: Int computed sum(event.count) secret unfiltered
          heavy_sum: Decimal { precision: 18, scale: 2 } computed sum(event.weight) secret unfiltered
          heavy_count: Int computed count(event.weight) secret unfiltered
          unique [day sku who of currency]
          read: `staff` staff, `customer when who == me && sold > 1` customer when ((who == me) && (sold > 1))
          key day = date(event.time)
          key sku = event.sku
          key who = event.customer
          key of = event.parent
          key currency = currency(event.total)
          fold sold = Count()
          fold money = Sum(event.total)
          fold last = Max(event.time)
          fold tips = Sum(event.tip)
          fold mean_sum = Sum(event.count)
          fold heavy_sum = Sum(event.weight)
          fold heavy_count = Count(event.weight)
          value mean = (mean_sum / sold)
          value heavy = if((heavy_count == 0), null, (heavy_sum / heavy_count))
          value rest = (mean_sum - (2 * sold))
        view of order.deleted within 5
        sales.Gone /losses
          sku: String ..20 computed event.sku
          lost: Int computed count()
          last: Timestamp computed max(event.updated_at)
          unique [sku]
          read: `staff` staff
          key sku = event.sku
          fold lost = Count()
          fold last = Max(event.updated_at)
    "#]].assert_eq(text.split_once("\nview ").expect("views").1);
}

#[test]
fn a_value_that_reads_an_event_outside_of_a_fold_is_told() {
    let model = selling(
        "      Sold:
        from: order.sold
        key: { day: date(event.time) }
        set: { last: event.total, orders: count() }
        allow: { read: staff }
",
    );
    check(
        &model,
        expect![[r#"
        error[E048]: `last` of `Sold` reads an event outside of a fold
          --> mainstay.yaml:24:22
           |
        24 |         set: { last: event.total, orders: count() }
           |                      ^^^^^^^^^^^
           = why: a row of a view is made of many events
           = help: fold it, as in `sum(event.total)` or `max(event.time)`, or move it to `key`
    "#]],
    );
}

#[test]
fn a_window_parts_the_rows_of_a_key_and_has_fields_of_its_own() {
    let model = selling(
        "      Sold:
        from: order.sold
        key: { sku: event.sku }
        set: { sold: count(), last: max(event.time), mean: avg(event.count) }
        window: 30 min session
        allow: { read: [customer, staff when closed && sold > 1] }
      Busy:
        from: order.sold
        key: {}
        set: { sold: count() }
        window: 10 min sliding 1 min
        late: 5 s
        allow: { read: staff }
",
    );
    let domain = lowered(&model);
    expect![[r#"
        of order.sold within inf
        sales.Sold /sold
          sku: String ..20 computed event.sku
          window_start: Timestamp computed event.time
          window_end: Timestamp computed event.time
          closed: Bool computed false
          sold: Int computed count()
          last: Timestamp computed max(event.time)
          mean: Decimal { precision: 18, scale: 6 } computed (mean_sum / sold)
          mean_sum: Int computed sum(event.count) secret unfiltered
          window_group: Uuid computed event.id_of_event secret unfiltered
          unique [sku window_start window_end]
          read: `customer` customer, `staff when closed && sold > 1` staff when (closed && (sold > 1))
          key sku = event.sku
          fold sold = Count()
          fold last = Max(event.time)
          fold mean_sum = Sum(event.count)
          value mean = (mean_sum / sold)
          Session { gap_micros: 1800000000 } late 60000000: window_start window_end closed last window_group
        view of order.sold within inf
        sales.Busy /busy
          window_start: Timestamp computed event.time
          window_end: Timestamp computed event.time
          closed: Bool computed false
          sold: Int computed count()
          window_max: Timestamp computed max(event.time) secret unfiltered
          unique [window_start window_end]
          read: `staff` staff
          fold sold = Count()
          fold window_max = Max(event.time)
          Sliding { size_micros: 600000000, every_micros: 60000000 } late 5000000: window_start window_end closed window_max
    "#]].assert_eq(dump(&domain).split_once("\nview ").expect("views").1);
}
