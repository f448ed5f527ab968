//! What stands outside the resources, lowered.

use super::{dump, lowered};
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
      send: { post: "/mails/{to}", body: { text: string, about: uuid optional } }
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
