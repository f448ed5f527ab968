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
  "expires" timestamptz NOT NULL
);

-- deletion of answers whose time is over
CREATE INDEX IF NOT EXISTS "ix_mainstay_idempotency_expires"
  ON "mainstay"."idempotency" ("expires");

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
  "trace" text
);

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
