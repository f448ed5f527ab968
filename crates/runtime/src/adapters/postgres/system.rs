//! Mainstay's own tables in every database, in the schema `mainstay`: what the tables were made
//! for, answers to replay, events to publish, API keys, the audit trail; and the functions that
//! conditions call.

use super::cells::{Bound, Bytes, Column};
use super::link::{Link, Parameter, Session};
use super::readers::Readers;
use crate::adapters::sql::shape::{Cell, Stored};
use crate::ports::store::{StoredAnswer, Unavailable};
use tokio_postgres::{Error, Row};

/// The tables, made where they are missing.
pub const SYSTEM_TABLES: &str = r#"
CREATE SCHEMA IF NOT EXISTS "mainstay";
CREATE TABLE IF NOT EXISTS "mainstay"."meta" (
  "name" text COLLATE "C" PRIMARY KEY,
  "value" text NOT NULL
);
CREATE TABLE IF NOT EXISTS "mainstay"."idempotency" (
  "scope" bytea PRIMARY KEY CHECK (octet_length("scope") = 32),
  "fingerprint" bytea NOT NULL CHECK (octet_length("fingerprint") = 32),
  "status" smallint NOT NULL,
  "headers" json NOT NULL,
  "body" bytea NOT NULL,
  "expires" timestamptz NOT NULL,
  "tenant" text COLLATE "C"
);
ALTER TABLE "mainstay"."idempotency" ADD COLUMN IF NOT EXISTS "tenant" text COLLATE "C";
CREATE INDEX IF NOT EXISTS "ix_mainstay_idempotency_expires"
  ON "mainstay"."idempotency" ("expires");
CREATE SEQUENCE IF NOT EXISTS "mainstay"."outbox_number";
CREATE TABLE IF NOT EXISTS "mainstay"."outbox" (
  "position" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  "id" uuid NOT NULL UNIQUE,
  "tenant" text COLLATE "C",
  "event" text COLLATE "C" NOT NULL,
  "resource" text COLLATE "C" NOT NULL,
  "row_id" uuid NOT NULL,
  "time" timestamptz NOT NULL,
  "data" json NOT NULL,
  "trace" text,
  "number" bigint,
  "version" bigint NOT NULL DEFAULT 1
);
ALTER TABLE "mainstay"."outbox" ADD COLUMN IF NOT EXISTS "number" bigint;
ALTER TABLE "mainstay"."outbox" ADD COLUMN IF NOT EXISTS "version" bigint NOT NULL DEFAULT 1;
CREATE UNIQUE INDEX IF NOT EXISTS "ux_mainstay_outbox_number" ON "mainstay"."outbox" ("number");
CREATE INDEX IF NOT EXISTS "ix_mainstay_outbox_new"
  ON "mainstay"."outbox" ("position") WHERE "number" IS NULL;
CREATE INDEX IF NOT EXISTS "ix_mainstay_outbox_tenant"
  ON "mainstay"."outbox" ("tenant", "number");
CREATE OR REPLACE FUNCTION "mainstay"."outbox_count"(most bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  n bigint;
BEGIN
  -- what follows sees everything that was committed before the lock was had
  PERFORM pg_advisory_xact_lock(4728116730258641717);
  UPDATE "mainstay"."outbox" o SET "number" = f.n FROM (
    SELECT s."position" AS p, nextval('"mainstay"."outbox_number"') AS n FROM (
      SELECT u."position" FROM "mainstay"."outbox" u WHERE u."number" IS NULL
      ORDER BY u."position" LIMIT most
    ) s
  ) f WHERE o."position" = f.p;
  GET DIAGNOSTICS n = ROW_COUNT;
  IF n > 0 THEN
    PERFORM pg_notify('mainstay_events', '');
  END IF;
  RETURN n;
END $$;
CREATE TABLE IF NOT EXISTS "mainstay"."consumers" (
  "id" uuid PRIMARY KEY,
  "consumer" text COLLATE "C" NOT NULL,
  "source" text COLLATE "C" NOT NULL,
  "part" bigint NOT NULL,
  "tenant" text COLLATE "C",
  "position" bigint NOT NULL,
  "epoch" bigint NOT NULL,
  "owner" text NOT NULL,
  "until" timestamptz NOT NULL,
  "moved" uuid
);
CREATE TABLE IF NOT EXISTS "mainstay"."inbox" (
  "id" uuid PRIMARY KEY,
  "consumer" text COLLATE "C" NOT NULL,
  "event" uuid NOT NULL,
  "tenant" text COLLATE "C",
  "time" timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS "ix_mainstay_inbox_time" ON "mainstay"."inbox" ("time");
CREATE TABLE IF NOT EXISTS "mainstay"."projections" (
  "id" uuid PRIMARY KEY,
  "consumer" text COLLATE "C" NOT NULL,
  "source" text COLLATE "C" NOT NULL,
  "tenant" text COLLATE "C",
  "position" bigint NOT NULL
);
CREATE TABLE IF NOT EXISTS "mainstay"."deliveries" (
  "id" uuid PRIMARY KEY,
  "consumer" text COLLATE "C" NOT NULL,
  "source" text COLLATE "C" NOT NULL,
  "part" bigint NOT NULL,
  "position" bigint NOT NULL,
  "event_id" uuid NOT NULL,
  "tenant" text COLLATE "C",
  "event" text COLLATE "C" NOT NULL,
  "resource" text COLLATE "C" NOT NULL,
  "row_id" uuid NOT NULL,
  "time" timestamptz NOT NULL,
  "data" json NOT NULL,
  "trace" text,
  "state" text NOT NULL CHECK ("state" IN ('retry', 'behind', 'dead')),
  "attempts" bigint NOT NULL,
  "due" timestamptz NOT NULL,
  "since" timestamptz NOT NULL,
  "errors" json NOT NULL,
  "edited" boolean NOT NULL,
  "version" bigint NOT NULL DEFAULT 1
);
ALTER TABLE "mainstay"."deliveries" ADD COLUMN IF NOT EXISTS "version" bigint NOT NULL DEFAULT 1;
CREATE INDEX IF NOT EXISTS "ix_mainstay_deliveries_key" ON "mainstay"."deliveries"
  ("consumer", "source", "part", "resource", "row_id", "position");
CREATE INDEX IF NOT EXISTS "ix_mainstay_deliveries_due" ON "mainstay"."deliveries"
  ("consumer", "source", "part", "due") WHERE "state" <> 'dead';
CREATE INDEX IF NOT EXISTS "ix_mainstay_deliveries_dead" ON "mainstay"."deliveries"
  ("tenant", "since", "event_id") WHERE "state" = 'dead';
CREATE TABLE IF NOT EXISTS "mainstay"."webhooks" (
  "id" uuid PRIMARY KEY,
  "tenant" text COLLATE "C",
  "owner" text COLLATE "C" NOT NULL,
  "actor" text COLLATE "C" NOT NULL,
  "url" text COLLATE "C" NOT NULL,
  "events" text COLLATE "C" NOT NULL,
  "description" text COLLATE "C" NOT NULL,
  "signing" text COLLATE "C" NOT NULL CHECK ("signing" IN ('hmac', 'ed25519')),
  "secret" text COLLATE "C" NOT NULL,
  "previous" text COLLATE "C",
  "previous_until" timestamptz,
  "state" text COLLATE "C" NOT NULL CHECK ("state" IN ('active', 'disabled')),
  "reason" text COLLATE "C",
  "failing" timestamptz,
  "created" timestamptz NOT NULL,
  "updated" timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS "ix_mainstay_webhooks_tenant" ON "mainstay"."webhooks"
  ("tenant", "id");
CREATE TABLE IF NOT EXISTS "mainstay"."webhook_attempts" (
  "id" uuid PRIMARY KEY,
  "endpoint" uuid NOT NULL,
  "tenant" text COLLATE "C",
  "event_id" uuid NOT NULL,
  "event" text COLLATE "C" NOT NULL,
  "at" timestamptz NOT NULL,
  "status" bigint,
  "error" text COLLATE "C",
  "took" bigint NOT NULL,
  "answer" text COLLATE "C" NOT NULL
);
CREATE INDEX IF NOT EXISTS "ix_mainstay_webhook_attempts_endpoint"
  ON "mainstay"."webhook_attempts" ("endpoint", "id");
CREATE INDEX IF NOT EXISTS "ix_mainstay_webhook_attempts_at"
  ON "mainstay"."webhook_attempts" ("at");
CREATE TABLE IF NOT EXISTS "mainstay"."operations" (
  "id" uuid PRIMARY KEY,
  "tenant" text COLLATE "C",
  "kind" text COLLATE "C" NOT NULL,
  "owner" text COLLATE "C" NOT NULL,
  "caller" text COLLATE "C" NOT NULL,
  "input" text COLLATE "C" NOT NULL,
  "priority" bigint NOT NULL,
  "created" bigint NOT NULL,
  "trace" text COLLATE "C",
  "state" text COLLATE "C" NOT NULL
    CHECK ("state" IN ('queued', 'running', 'done', 'failed', 'cancelled')),
  "total" bigint,
  "done" bigint NOT NULL,
  "failed" bigint NOT NULL,
  "attempts" bigint NOT NULL,
  "due" bigint NOT NULL,
  "epoch" bigint NOT NULL,
  "worker" text COLLATE "C" NOT NULL,
  "until" bigint NOT NULL,
  "place" text COLLATE "C" NOT NULL,
  "result" text COLLATE "C",
  "problem" text COLLATE "C",
  "started" bigint,
  "ended" bigint,
  "expires" bigint
);
CREATE INDEX IF NOT EXISTS "ix_mainstay_operations_open"
  ON "mainstay"."operations" ("state", "due") WHERE "state" IN ('queued', 'running');
CREATE INDEX IF NOT EXISTS "ix_mainstay_operations_served"
  ON "mainstay"."operations" (coalesce("tenant", ''), "started");
CREATE INDEX IF NOT EXISTS "ix_mainstay_operations_owner"
  ON "mainstay"."operations" ("owner", "id");
CREATE INDEX IF NOT EXISTS "ix_mainstay_operations_expires"
  ON "mainstay"."operations" ("expires") WHERE "expires" IS NOT NULL;
CREATE TABLE IF NOT EXISTS "mainstay"."operation_chunks" (
  "id" uuid PRIMARY KEY,
  "operation" uuid NOT NULL,
  "tenant" text COLLATE "C",
  "part" text COLLATE "C" NOT NULL
    CHECK ("part" IN ('input', 'report', 'result')),
  "number" bigint NOT NULL,
  "rows" bigint NOT NULL,
  "failed" bigint NOT NULL,
  "data" text COLLATE "C" NOT NULL
);
CREATE INDEX IF NOT EXISTS "ix_mainstay_operation_chunks_part"
  ON "mainstay"."operation_chunks" ("operation", "part", "number");
CREATE TABLE IF NOT EXISTS "mainstay"."api_keys" (
  "prefix" text COLLATE "C" PRIMARY KEY,
  "hash" bytea NOT NULL UNIQUE CHECK (octet_length("hash") = 32),
  "actor" text NOT NULL,
  "roles" json NOT NULL,
  "tenant" text COLLATE "C",
  "subject" text NOT NULL,
  "label" text NOT NULL,
  "created" timestamptz NOT NULL,
  "expires" timestamptz,
  "revoked" timestamptz,
  "used" timestamptz
);
CREATE TABLE IF NOT EXISTS "mainstay"."audit" (
  "chain" text COLLATE "C" NOT NULL,
  "number" bigint NOT NULL,
  "tenant" text COLLATE "C",
  "id" uuid NOT NULL UNIQUE,
  "time" timestamptz NOT NULL,
  "who" text COLLATE "C" NOT NULL,
  "operation" text COLLATE "C" NOT NULL,
  "resource" text COLLATE "C" NOT NULL,
  "row_id" uuid,
  "body" text NOT NULL,
  "previous" bytea NOT NULL CHECK (octet_length("previous") = 32),
  "hash" bytea NOT NULL CHECK (octet_length("hash") = 32),
  PRIMARY KEY ("chain", "number"),
  UNIQUE ("chain", "id")
);
CREATE TABLE IF NOT EXISTS "mainstay"."audit_chains" (
  "chain" text COLLATE "C" PRIMARY KEY,
  "tenant" text COLLATE "C",
  "number" bigint NOT NULL,
  "hash" bytea NOT NULL CHECK (octet_length("hash") = 32),
  "removed" bigint NOT NULL,
  "removed_hash" bytea NOT NULL CHECK (octet_length("removed_hash") = 32)
);
CREATE OR REPLACE FUNCTION "mainstay"."audit_refuse"() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' AND NOT EXISTS (
    SELECT 1 FROM "mainstay"."audit_chains"
    WHERE "chain" = OLD."chain" AND "removed" < OLD."number"
  ) THEN
    RETURN OLD;
  END IF;
  IF TG_OP = 'TRUNCATE' AND NOT EXISTS (SELECT 1 FROM "mainstay"."audit_chains") THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION 'the audit trail is append-only';
END $$;
CREATE OR REPLACE TRIGGER "audit_kept" BEFORE UPDATE OR DELETE ON "mainstay"."audit"
  FOR EACH ROW EXECUTE FUNCTION "mainstay"."audit_refuse"();
CREATE OR REPLACE TRIGGER "audit_whole" BEFORE TRUNCATE ON "mainstay"."audit"
  FOR EACH STATEMENT EXECUTE FUNCTION "mainstay"."audit_refuse"();
CREATE OR REPLACE FUNCTION "mainstay"."audit_part"(part bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT
RETURN int4send(octet_length(part)) || part;
CREATE OR REPLACE FUNCTION "mainstay"."audit_append"(
  c text, i uuid, t timestamptz, w text, o text, r text, y uuid, b text
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  n bigint;
  p bytea := decode(repeat('00', 32), 'hex');
  h bytea;
BEGIN
  INSERT INTO "mainstay"."audit_chains" AS a VALUES (c, nullif(c, ''), 1, p, 0, p)
    ON CONFLICT ("chain") DO UPDATE SET "number" = a."number" + 1
    RETURNING a."number", a."hash" INTO n, p;
  h := sha256(
    "mainstay"."audit_part"(p)
    || "mainstay"."audit_part"(convert_to(c, 'UTF8'))
    || "mainstay"."audit_part"(int8send(n))
    || "mainstay"."audit_part"(uuid_send(i))
    || "mainstay"."audit_part"(int8send((extract(epoch FROM t) * 1000000)::bigint))
    || "mainstay"."audit_part"(convert_to(w, 'UTF8'))
    || "mainstay"."audit_part"(convert_to(o, 'UTF8'))
    || "mainstay"."audit_part"(convert_to(r, 'UTF8'))
    || "mainstay"."audit_part"(coalesce(uuid_send(y), ''::bytea))
    || "mainstay"."audit_part"(convert_to(b, 'UTF8'))
  );
  INSERT INTO "mainstay"."audit"
    VALUES (c, n, nullif(c, ''), i, t, w, o, r, y, b, p, h);
  UPDATE "mainstay"."audit_chains" SET "hash" = h WHERE "chain" = c;
END $$;
CREATE OR REPLACE FUNCTION "mainstay"."audit_sweep"(
  before timestamptz, most bigint, chains bigint
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  a record;
  e record;
  n bigint;
  h bytea;
  gone bigint := 0;
BEGIN
  FOR a IN
    SELECT s."chain", s."removed", s."removed_hash" FROM "mainstay"."audit_chains" s
    WHERE EXISTS (
      SELECT 1 FROM "mainstay"."audit" f
      WHERE f."chain" = s."chain" AND f."number" = s."removed" + 1 AND f."time" < before
    )
    LIMIT chains FOR UPDATE SKIP LOCKED
  LOOP
    n := a."removed";
    h := a."removed_hash";
    FOR e IN
      SELECT f."number", f."time", f."hash" FROM "mainstay"."audit" f
      WHERE f."chain" = a."chain" AND f."number" > a."removed"
      ORDER BY f."number" LIMIT most
    LOOP
      EXIT WHEN e."time" >= before;
      n := e."number";
      h := e."hash";
    END LOOP;
    UPDATE "mainstay"."audit_chains" SET "removed" = n, "removed_hash" = h
      WHERE "chain" = a."chain";
    DELETE FROM "mainstay"."audit" WHERE "chain" = a."chain" AND "number" <= n;
    gone := gone + n - a."removed";
  END LOOP;
  RETURN gone;
END $$;
"#;

/// The functions that conditions call: the kernel's arithmetic, over numbers that are lifted.
pub(super) const FUNCTIONS: &str = include_str!("functions.sql");

/// The format of our tables.
pub(super) const FORMAT: &str = "2";

/// Answers deleted at a time.
const SWEEP_ROWS_MAX: u64 = 500;

/// Keeps an answer; changes no row where one that has not expired is there already.
pub(super) const KEEP_ANSWER: &str = "INSERT INTO \"mainstay\".\"idempotency\" \
    VALUES ($1, $2, $3, $4, $5, $6, $8) ON CONFLICT (\"scope\") DO UPDATE SET \
    \"fingerprint\" = excluded.\"fingerprint\", \"status\" = excluded.\"status\", \
    \"headers\" = excluded.\"headers\", \"body\" = excluded.\"body\", \
    \"expires\" = excluded.\"expires\" WHERE \"mainstay\".\"idempotency\".\"expires\" <= $7";

/// Writes an event beside the change that it reports.
pub(super) const PUBLISH: &str = "INSERT INTO \"mainstay\".\"outbox\" (\"id\", \"tenant\", \
    \"event\", \"resource\", \"row_id\", \"time\", \"data\", \"trace\", \"version\") \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

const ANSWER: &str = "SELECT \"fingerprint\", \"status\"::bigint, \"headers\", \"body\", \
    \"expires\" FROM \"mainstay\".\"idempotency\" WHERE \"scope\" = $1 AND \"expires\" > $2";

/// The headers of an answer as they are stored.
pub(super) fn headers(answer: &StoredAnswer) -> String {
    let headers: Vec<_> = answer.headers.iter().map(|(name, value)| [name, value]).collect();
    serde_json::to_string(&headers).unwrap_or_default()
}

/// The answer of a scope, unless it has expired.
pub(super) async fn answer(
    readers: &Readers,
    session: &Session,
    scope: &[u8; 32],
    now: i64,
) -> Result<Option<StoredAnswer>, Unavailable> {
    let (by, now) = (Bytes(scope), Bound(Cell::Int(now)));
    let rows = readers.read(session, ANSWER, &[&by, &now]).await?;
    rows.first().map(|row| of_row(row, scope)).transpose()
}

fn of_row(row: &Row, scope: &[u8; 32]) -> Result<StoredAnswer, Unavailable> {
    let cell = |at: usize| row.try_get::<_, Column<'_>>(at).map_or(Stored::Foreign, |cell| cell.0);
    match (cell(0), cell(1), cell(2), cell(3), cell(4)) {
        (
            Stored::Bytes(fingerprint),
            Stored::Int(status),
            Stored::Text(headers),
            Stored::Bytes(body),
            Stored::Int(expires),
        ) => Ok(StoredAnswer {
            scope: *scope,
            fingerprint: fingerprint.try_into().unwrap_or_default(),
            status: u16::try_from(status).unwrap_or_default(),
            headers: serde_json::from_str(headers).unwrap_or_default(),
            body: body.to_vec(),
            expires,
        }),
        _ => Err(super::error::misshapen("mainstay.idempotency")),
    }
}

/// A value of `meta`.
pub(super) async fn meta(link: &Link, name: &str) -> Result<Option<String>, Error> {
    let text = "SELECT \"value\" FROM \"mainstay\".\"meta\" WHERE \"name\" = $1";
    let rows = link.query(text, &[&name]).await?;
    rows.first().map(|row| row.try_get(0)).transpose()
}

/// Sets a value of `meta`.
pub(super) async fn set_meta(link: &Link, name: &str, value: &str) -> Result<(), Error> {
    let text = "INSERT INTO \"mainstay\".\"meta\" VALUES ($1, $2) \
                ON CONFLICT (\"name\") DO UPDATE SET \"value\" = excluded.\"value\"";
    link.execute(text, &[&name, &value]).await.map(|_| ())
}

/// A value of `meta`, set where it has none: what is there first stays.
pub(super) async fn meta_or(link: &Link, name: &str, value: &str) -> Result<String, Error> {
    let text = "INSERT INTO \"mainstay\".\"meta\" VALUES ($1, $2) ON CONFLICT DO NOTHING";
    link.execute(text, &[&name, &value]).await?;
    Ok(meta(link, name).await?.unwrap_or_else(|| value.to_owned()))
}

/// Deletes some answers whose time is over; true where there may be more.
pub(super) async fn sweep(link: &Link, now: i64) -> Result<bool, Error> {
    let text = format!(
        "DELETE FROM \"mainstay\".\"idempotency\" WHERE \"scope\" IN (SELECT \"scope\" FROM \
         \"mainstay\".\"idempotency\" WHERE \"expires\" <= $1 ORDER BY \"expires\" LIMIT \
         {SWEEP_ROWS_MAX} FOR UPDATE SKIP LOCKED)"
    );
    let now: Parameter<'_> = &Bound(Cell::Int(now));
    Ok(link.execute(&text, &[now]).await? == SWEEP_ROWS_MAX)
}
