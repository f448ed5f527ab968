CREATE SCHEMA "tickets";

CREATE TABLE "tickets"."tickets" (
  "id" uuid NOT NULL,
  "row_version" bigint NOT NULL CHECK ("row_version" >= 1),
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  "kiosk" text COLLATE "C" NOT NULL,
  "day" date NOT NULL,
  "price" bigint NOT NULL,
  "price_currency" char(3) NOT NULL CHECK ("price_currency" IN ('EUR')),
  "status" text COLLATE "C" NOT NULL CHECK ("status" IN ('offered', 'reserved', 'paid', 'used', 'void')),
  PRIMARY KEY ("id")
);

-- `GET /v1/tickets` as `kiosk when kiosk == me`, newest first
CREATE INDEX "ix_tickets_tickets_kiosk_id" ON "tickets"."tickets" ("kiosk", "id");

-- Mainstay's own tables
CREATE SCHEMA IF NOT EXISTS "mainstay";

-- which architecture the tables were made for
CREATE TABLE IF NOT EXISTS "mainstay"."meta" (
  "name" text COLLATE "C" PRIMARY KEY,
  "value" text NOT NULL
);

-- answers that are replayed for an idempotency key, committed with their effect
CREATE TABLE IF NOT EXISTS "mainstay"."idempotency" (
  "scope" bytea PRIMARY KEY CHECK (octet_length("scope") = 32),
  "fingerprint" bytea NOT NULL CHECK (octet_length("fingerprint") = 32),
  "status" smallint NOT NULL,
  "headers" json NOT NULL,
  "body" bytea NOT NULL,
  "expires" timestamptz NOT NULL,
  "tenant" text COLLATE "C"
);

-- deletion of answers whose time is over
CREATE INDEX IF NOT EXISTS "ix_mainstay_idempotency_expires"
  ON "mainstay"."idempotency" ("expires");

-- numbers in the order in which what was committed got one
CREATE SEQUENCE IF NOT EXISTS "mainstay"."outbox_number";

-- events, committed with the change they report
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

-- the order in which they are read
CREATE UNIQUE INDEX IF NOT EXISTS "ux_mainstay_outbox_number" ON "mainstay"."outbox" ("number");

-- what has no number yet
CREATE INDEX IF NOT EXISTS "ix_mainstay_outbox_new"
  ON "mainstay"."outbox" ("position") WHERE "number" IS NULL;

-- the events of a tenant
CREATE INDEX IF NOT EXISTS "ix_mainstay_outbox_tenant"
  ON "mainstay"."outbox" ("tenant", "number");

-- numbers some of what is committed, one at a time, and tells all who listen; how many it were
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

-- which part of a log a consumer has settled how far, and who works on it
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

-- events whose effect is committed, so that none has it twice
CREATE TABLE IF NOT EXISTS "mainstay"."inbox" (
  "id" uuid PRIMARY KEY,
  "consumer" text COLLATE "C" NOT NULL,
  "event" uuid NOT NULL,
  "tenant" text COLLATE "C",
  "time" timestamptz NOT NULL
);

-- deletion of those whose time is over
CREATE INDEX IF NOT EXISTS "ix_mainstay_inbox_time" ON "mainstay"."inbox" ("time");

-- how far the events of a tenant are folded into a view, committed with its rows
CREATE TABLE IF NOT EXISTS "mainstay"."projections" (
  "id" uuid PRIMARY KEY,
  "consumer" text COLLATE "C" NOT NULL,
  "source" text COLLATE "C" NOT NULL,
  "tenant" text COLLATE "C",
  "position" bigint NOT NULL
);

-- events that a consumer could not do yet, or gave up
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

-- the first of a key
CREATE INDEX IF NOT EXISTS "ix_mainstay_deliveries_key" ON "mainstay"."deliveries"
  ("consumer", "source", "part", "resource", "row_id", "position");

-- what is to be tried again
CREATE INDEX IF NOT EXISTS "ix_mainstay_deliveries_due" ON "mainstay"."deliveries"
  ("consumer", "source", "part", "due") WHERE "state" <> 'dead';

-- what was given up
CREATE INDEX IF NOT EXISTS "ix_mainstay_deliveries_dead" ON "mainstay"."deliveries"
  ("tenant", "since", "event_id") WHERE "state" = 'dead';

-- endpoints that events are delivered to; keys are encrypted
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

-- the endpoints of a tenant
CREATE INDEX IF NOT EXISTS "ix_mainstay_webhooks_tenant" ON "mainstay"."webhooks"
  ("tenant", "id");

-- what came of deliveries
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

-- the attempts of an endpoint
CREATE INDEX IF NOT EXISTS "ix_mainstay_webhook_attempts_endpoint"
  ON "mainstay"."webhook_attempts" ("endpoint", "id");

-- deletion of those whose time is over
CREATE INDEX IF NOT EXISTS "ix_mainstay_webhook_attempts_at"
  ON "mainstay"."webhook_attempts" ("at");

-- keys of actors that call by key: hashes only
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

-- who did what, in the transaction of the change, each entry chained to the one before
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

-- where each chain ends, and where retention cut it off
CREATE TABLE IF NOT EXISTS "mainstay"."audit_chains" (
  "chain" text COLLATE "C" PRIMARY KEY,
  "tenant" text COLLATE "C",
  "number" bigint NOT NULL,
  "hash" bytea NOT NULL CHECK (octet_length("hash") = 32),
  "removed" bigint NOT NULL,
  "removed_hash" bytea NOT NULL CHECK (octet_length("removed_hash") = 32)
);

-- nobody changes an entry; nothing but retention removes one (it says first how far it goes), or
-- the end of its chain
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

-- appends an entry; the head of its chain is held until the transaction ends
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

-- removes entries whose time is over, some at a time; how many it were
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

-- long-running operations: what was asked for, how far it is, what came of it
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

-- what comes next
CREATE INDEX IF NOT EXISTS "ix_mainstay_operations_open"
  ON "mainstay"."operations" ("state", "due") WHERE "state" IN ('queued', 'running');

-- tenants take turns
CREATE INDEX IF NOT EXISTS "ix_mainstay_operations_served"
  ON "mainstay"."operations" (coalesce("tenant", ''), "started");

-- the operations of a caller
CREATE INDEX IF NOT EXISTS "ix_mainstay_operations_owner"
  ON "mainstay"."operations" ("owner", "id");

-- deletion of those whose time is over
CREATE INDEX IF NOT EXISTS "ix_mainstay_operations_expires"
  ON "mainstay"."operations" ("expires") WHERE "expires" IS NOT NULL;

-- what is kept of them in pieces: rows that came, the report, what was made
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

-- pieces in their order
CREATE INDEX IF NOT EXISTS "ix_mainstay_operation_chunks_part"
  ON "mainstay"."operation_chunks" ("operation", "part", "number");
