//! The examples lowered, and what the lowering promises of every model.

mod doings;
mod dump;

use super::domain;
use crate::check::check;
use crate::check::testing::{example, with_resources};
use dump::dump;
use expect_test::{Expect, expect};
use ir::Sources;
use ir::domain::{Domain, Source};

fn lowered(text: &str) -> Domain {
    let (model, found) = formats::requirements::read(&Sources::one("mainstay.yaml", text));
    let (valid, faults) = check(model);
    domain(&valid.unwrap_or_else(|| panic!("{found:?} {faults:?}")))
}

fn pinned(name: &str, expected: Expect) {
    let (_, model, _) = example(name);
    let valid = check(model).0.expect("the example is valid");
    expected.assert_eq(&dump(&domain(&valid)));
}

#[test]
fn shop_lowered() {
    pinned(
        "shop",
        expect![[r#"
            system shop Some(Tenancy { isolation: Row, claim: "org", host: Some(("", ".shop.example")) })
            actor shopper Oidc [] None
            actor staff Oidc [picker manager] None
            actor partner ApiKey [] Some(50.0)

            catalog.Product /products
              sku: String ..40
              name: String ..200 search
              price: Money { currency: None }
              stock: Int 0.. default 0
              unique [sku]
              reserve(quantity: Int 1..99) internal
                require `stock >= quantity` (stock >= $quantity)
                stock = (stock - $quantity)
                by `system` system
              release(quantity: Int 1..99) internal
                stock = (stock + $quantity)
                by `system` system
              read: `anyone` anyone
              create: `staff.manager` staff.manager
              update: `staff.manager` staff.manager
              delete: `staff.manager` staff.manager

            ordering.Order /orders
              shopper: actor shopper caller
              lines: many ordering.OrderLine 1..50 unfiltered
              total: Money { currency: None } computed sum(lines: amount)
              note: Text ..500 optional personal
              status: draft | placed | paid | shipped | cancelled state
              place() starts place_order
                status: draft -> placed
                by `shopper when own` shopper when (shopper == me)
                emits order.placed
              pay() internal
                status: placed -> paid
                by `system` system
                emits order.paid
              ship()
                status: paid -> shipped
                by `staff.picker` staff.picker
                emits order.shipped
              cancel()
                status: draft | placed -> cancelled
                by `shopper when own` shopper when (shopper == me), `staff.manager` staff.manager, `system` system
                emits order.cancelled
                not during place_order
              read: `shopper when own` shopper when (shopper == me), `staff` staff, `partner` partner
              create: `shopper` shopper
              update: `shopper when own && status == draft` shopper when ((shopper == me) && (status == 'draft'))

            ordering.OrderLine /order-lines owned by Order.lines
              product: -> catalog.Product far Restrict
              price: Money { currency: None } copied at Write product.price?
              quantity: Int 1..99
              amount: Money { currency: None } computed (quantity * price)

            notifications.Message /messages
              shopper: actor shopper caller
              template: order_paid | order_shipped
              order: -> ordering.Order far Restrict
              sent_at: Timestamp optional
              sent() internal
                sent_at = now
                by `system` system
              read: `shopper when shopper == me` shopper when (shopper == me), `staff` staff

            event order.cancelled of ordering.Order: id Reference(ResourceId(1)) shopper Actor(ActorId(0)) to partner
            event order.paid of ordering.Order: id Reference(ResourceId(1)) shopper Actor(ActorId(0)) total Money { currency: None } to partner
            event order.placed of ordering.Order: id Reference(ResourceId(1)) shopper Actor(ActorId(0)) lines Json total Money { currency: None }
            event order.shipped of ordering.Order: id Reference(ResourceId(1)) shopper Actor(ActorId(0)) to partner
            view of order.paid within 60
            ordering.SalesByDay /sales-by-day
              day: Date computed date(event.time)
              currency: Text ..3 computed currency(event.total) /[A-Z]{3}/
              orders: Int computed count()
              revenue: Money { currency: None } computed sum(event.total)
              unique [day currency]
              read: `staff.manager` staff.manager
              key day = date(event.time)
              key currency = currency(event.total)
              fold orders = Count()
              fold revenue = Sum(event.total)
            notifications on order.paid: create notifications.Message shopper: event.shopper template: 'order_paid' order: event.id
            notifications on order.shipped: create notifications.Message shopper: event.shopper template: 'order_shipped' order: event.id
            schedule abandon_drafts Every(3600.0) ordering.Order when ((status == 'draft') && (age > Duration(604800000000))): Order.cancel
        "#]],
    );
}

#[test]
fn links_lowered() {
    pinned(
        "links",
        expect![[r#"
        system links None
        actor maker Oidc [] Some(20.0)
        actor moderator Oidc [] None

        links.Link /links shared
          code: String 4..16 /[A-Za-z0-9_-]+/
          target: Url
          maker: actor maker caller
          note: String ..200 optional search
          hits: Counter counted
          status: open | closed state
          unique [code]
          close()
            status: open -> closed
            by `maker when own` maker when (maker == me), `moderator` moderator
          reopen()
            status: closed -> open
            by `moderator` moderator
          read: `maker when own` maker when (maker == me), `moderator` moderator
          create: `maker` maker
          update: `maker when own && status == open` maker when ((maker == me) && (status == 'open'))
          delete: `maker when own` maker when (maker == me)
          route /{code} Some("code") Some("target") Some("hits") when (status == 'open')
    "#]],
    );
}

#[test]
fn clinic_lowered() {
    pinned(
        "clinic",
        expect![[r#"
            system clinic Some(Tenancy { isolation: Database, claim: "clinic", host: Some(("", ".clinic.example")) })
            actor patient Oidc [] None
            actor staff Oidc [reception nurse manager] None
            actor doctor Oidc [] None
            actor support Oidc [] None

            people.Patient /patients if-match
              account: actor patient caller
              name: String ..120 search personal
              born: Date personal
              email: Email personal
              phone: String ..30 optional personal
              insurance: String ..40 optional personal
              unique [insurance]
              read: `patient when own` patient when (account == me), `staff` staff, `doctor` doctor
              create: `patient` patient, `staff.reception` staff.reception
              update: `patient when own` patient when (account == me), `staff.reception` staff.reception

            scheduling.Appointment /appointments idempotency
              patient: actor patient caller
              doctor: actor doctor caller
              during: Timespan
              reason: String ..200 optional personal
              status: booked | arrived | seen | missed state
              reminder: none | sent | delivered | bounced state
              never overlap [doctor] during
              arrive()
                status: booked -> arrived
                by `staff.reception` staff.reception
                emits appointment.arrived
              finish()
                status: arrived -> seen
                by `doctor when doctor == me` doctor when (doctor == me)
              miss()
                status: booked -> missed
                by `staff.reception` staff.reception, `staff.manager` staff.manager
              remind() internal
                require `status == booked` (status == 'booked')
                reminder: none | sent | bounced -> sent
                by `system` system
                emits appointment.due
              reach() internal
                reminder: sent | delivered | bounced -> delivered
                by `system` system
              bounce() internal
                reminder: sent | delivered | bounced -> bounced
                by `system` system
              read: `patient when own` patient when (patient == me), `staff` staff, `doctor when doctor == me` doctor when (doctor == me), `support` support
              create: `patient` patient, `staff.reception` staff.reception
              update: `staff.reception when status == booked` staff.reception when (status == 'booked')
              delete: `patient when own && status == booked` patient when ((patient == me) && (status == 'booked')), `staff.reception when status == booked` staff.reception when (status == 'booked')

            records.Entry /entries
              appointment: -> scheduling.Appointment far Restrict
              author: actor doctor caller
              kind: finding | therapy | letter
              summary: String ..300 personal
              detail: Text ..20000 personal read(`doctor` doctor) write(`doctor` doctor)
              signed: draft | signed_off state
              sign()
                signed: draft -> signed_off
                by `doctor when mine` doctor when (author == me)
              read: `doctor` doctor, `staff.nurse` staff.nurse
              create: `doctor` doctor
              update: `doctor when mine && signed == draft` doctor when ((author == me) && (signed == 'draft'))

            event appointment.arrived of scheduling.Appointment: id Reference(ResourceId(1)) doctor Actor(ActorId(2))
            event appointment.due of scheduling.Appointment: id Reference(ResourceId(1)) patient Actor(ActorId(0)) during Timespan
            event mail.bounced of : appointment Uuid (plain)
            event mail.delivered of : appointment Uuid (plain)
            view of appointment.arrived within inf
            scheduling.ArrivalsByHour /arrivals-by-hour
              doctor: actor doctor computed event.doctor
              window_start: Timestamp computed event.time
              window_end: Timestamp computed event.time
              closed: Bool computed false
              patients: Int computed count()
              window_max: Timestamp computed max(event.time) secret unfiltered
              unique [doctor window_start window_end]
              read: `staff.manager` staff.manager, `doctor when doctor == me` doctor when (doctor == me)
              key doctor = event.doctor
              fold patients = Count()
              fold window_max = Max(event.time)
              Tumbling { size_micros: 3600000000 } late 300000000: window_start window_end closed window_max
            scheduling on appointment.due: mail.send recipient: event.patient appointment: event.id starts: start(event.during)
            scheduling on mail.delivered: Appointment.reach event.appointment
            scheduling on mail.bounced: Appointment.bounce event.appointment
            schedule remind Cron("0 7 * * *") scheduling.Appointment when ((status == 'booked') && (reminder == 'none') && (start(during) > now) && (start(during) < (now + Duration(129600000000)))): Appointment.remind
        "#]],
    );
}

#[test]
fn every_kind_of_expression_is_typed() {
    let model = with_resources(
        "
        Plan:
          rules: { own: owner == me, open: own && not closed }
          fields:
            owner: actor user
            name: string max 20 unique
            closed: bool = false
            level: low | high = low
            price: money EUR min 0.50 = 1
            rate: decimal(6.3) 0..1 = 0.25
            fee: money EUR = price * rate
            start_day: date = date('2026-01-31')
            spent: duration = duration('1h30m')
            during: timespan
            begins: timestamp = start(during)
            tags: list of string max 5
            follows: Plan optional
            parts: many Part 1..9
            heavy: int = count(parts)
            weight: int = sum(parts.weight * parts.number)
            mean: decimal(9.2) = avg(parts.weight)
            state: new | done | dropped
          unique: [[owner, start_day], [name when state != dropped]]
          never_overlap: [owner, during]
          commands:
            finish:
              input: { note: string max 9, extra: int = 1 }
              get: { other: follows.name }
              require:
                - \"size(note) > 0 && matches(note, '[a-z]+') && lower(other) != note\"
                - weight % 2 == 0 || rate in [0.1, 0.25] || 'x' in tags
                - now - created_at > duration('1d') && age < duration('1w')
              state: new -> done
              set: { name: if(level == high, note, other), spent: spent * extra }
              by: user when open
            drop: { state: new -> dropped, by: [user when own, staff.boss] }
          allow: { read: anyone, write: user when own || follows.owner == me }
        Part:
          fields: { weight: int, number: int, share: decimal(9.6) = weight / (plan.rate + 1) }",
    );
    expect![[r#"
        system test None
        actor user Oidc [] None
        actor staff Oidc [clerk boss] None

        desk.Plan /plans shared
          owner: actor user caller
          name: String ..20
          closed: Bool default false
          level: low | high default 'low'
          price: Money { currency: Some("EUR") } Decimal { units: 5000, scale: 4 }.. default Money { units: 10000, currency: Currency([69, 85, 82]) }
          rate: Decimal { precision: 6, scale: 3 } Decimal { units: 0, scale: 3 }..Decimal { units: 1000, scale: 3 } default Decimal { units: 250, scale: 3 }
          fee: Money { currency: Some("EUR") } computed (price * rate)
          start_day: Date default Date(20484)
          spent: Duration default Duration(5400000000)
          during: Timespan
          begins: Timestamp computed start(during)
          tags: List(String) ..5 unfiltered
          follows: -> desk.Plan Restrict optional
          parts: many desk.Part 1..9 unfiltered
          heavy: Int computed count(parts: )
          weight: Int computed sum(parts: (weight * number))
          mean: Decimal { precision: 9, scale: 2 } computed avg(parts: weight)
          state: new | done | dropped state
          unique [name]
          unique [owner start_day]
          unique [name] when (state != 'dropped')
          never overlap [owner] during
          finish(note: String ..9, extra: Int default 1)
            get other = follows.name
            require `size(note) > 0 && matches(note, '[a-z]+') && lower(other) != note` ((size($note) > 0) && matches($note, '[a-z]+') && (lower($other) != $note))
            require `weight % 2 == 0 || rate in [0.1, 0.25] || 'x' in tags` (((weight % 2) == 0) || rate in [Decimal { units: 1, scale: 1 }, Decimal { units: 25, scale: 2 }] || 'x' in [tags])
            require `now - created_at > duration('1d') && age < duration('1w')` (((now - created_at) > Duration(86400000000)) && (age < Duration(604800000000)))
            state: new -> done
            name = if((level == 'high'), $note, $other)
            spent = (spent * $extra)
            by `user when open` user when ((owner == me) && !closed)
          drop()
            state: new -> dropped
            by `user when own` user when (owner == me), `staff.boss` staff.boss
          read: `anyone` anyone
          create: `user when own || follows.owner == me` user when ((owner == me) || (follows.owner == me))
          update: `user when own || follows.owner == me` user when ((owner == me) || (follows.owner == me))
          delete: `user when own || follows.owner == me` user when ((owner == me) || (follows.owner == me))

        desk.Part /parts owned by Plan.parts shared
          weight: Int
          number: Int
          share: Decimal { precision: 9, scale: 6 } computed (weight / (^rate + 1))
    "#]].assert_eq(&dump(&lowered(&model)));
}

#[test]
fn a_child_has_the_access_and_the_tenancy_of_its_root() {
    let model = "
system: test
tenancy: row by org
actors: { staff: oidc, admin: oidc across tenants }
contexts:
  desk:
    resources:
      List:
        shared: true
        fields: { lines: many Line 0..9 }
        allow: { read: admin, write: admin }
      Line: { fields: { text: string max 9 } }
";
    let domain = lowered(model);
    let (root, child) = (&domain.resources[0], &domain.resources[1]);
    assert_eq!(root.access, child.access);
    assert!(root.shared && child.shared);
}

#[test]
fn what_a_client_gives_is_writable_and_nothing_else() {
    let (_, model, _) = example("shop");
    let domain = domain(&check(model).0.expect("the example is valid"));
    for resource in &domain.resources {
        for field in &resource.fields {
            let derived =
                matches!(field.source, Source::Computed(_) | Source::Copied(..) | Source::State);
            assert_ne!(field.source.writable(), derived, "{}.{}", resource.name, field.name);
        }
    }
}
