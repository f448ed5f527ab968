-- words within the searched columns
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE SCHEMA "links";

CREATE TABLE "links"."links" (
  "id" uuid NOT NULL,
  "row_version" bigint NOT NULL CHECK ("row_version" >= 1),
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  "code" text COLLATE "C" NOT NULL CHECK (char_length("code") BETWEEN 4 AND 16),
  "target" text COLLATE "C" NOT NULL,
  "maker" text COLLATE "C" NOT NULL,
  "note" text COLLATE "C" CHECK (char_length("note") <= 200),
  "note_search" text COLLATE "C",
  "hits" bigint NOT NULL CHECK ("hits" >= 0),
  "status" text COLLATE "C" NOT NULL CHECK ("status" IN ('open', 'closed')),
  PRIMARY KEY ("id")
);

-- unique `code`
CREATE UNIQUE INDEX "ux_links_links_code" ON "links"."links" ("code");

-- `GET /v1/links` as `maker when own`, newest first
-- `GET /v1/links` of journey `watch`, newest first
CREATE INDEX "ix_links_links_maker_id" ON "links"."links" ("maker", "id");

-- `q` of `GET /v1/links`
CREATE INDEX "ix_links_links_id_note_search" ON "links"."links" USING gin ("note_search" gin_trgm_ops);

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
