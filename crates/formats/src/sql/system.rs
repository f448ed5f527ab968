//! Mainstay's own tables, beside those of the model: they begin with `mainstay_`, or are in
//! the schema `mainstay`. The store makes them by itself; a test compares what it made with what
//! is written here.

/// As the running backend makes them on SQLite.
pub(super) const SQLITE: &str = r#"
-- which architecture the tables were made for
CREATE TABLE IF NOT EXISTS "mainstay_meta" (
  "name" TEXT NOT NULL PRIMARY KEY,
  "value" TEXT NOT NULL
) STRICT;

-- answers that are replayed for an idempotency key, committed with their effect
CREATE TABLE IF NOT EXISTS "mainstay_idempotency" (
  "scope" BLOB NOT NULL PRIMARY KEY CHECK (length("scope") = 32),
  "fingerprint" BLOB NOT NULL CHECK (length("fingerprint") = 32),
  "status" INTEGER NOT NULL,
  "headers" TEXT NOT NULL,
  "body" BLOB NOT NULL,
  "expires" INTEGER NOT NULL
) STRICT;

-- deletion of answers whose time is over
CREATE INDEX IF NOT EXISTS "ix_mainstay_idempotency_expires"
  ON "mainstay_idempotency" ("expires");

-- events, committed with the change they report, in the order of their commits
CREATE TABLE IF NOT EXISTS "mainstay_outbox" (
  "position" INTEGER PRIMARY KEY AUTOINCREMENT,
  "id" BLOB NOT NULL UNIQUE CHECK (length("id") = 16),
  "tenant" TEXT,
  "event" TEXT NOT NULL,
  "resource" TEXT NOT NULL,
  "row_id" BLOB NOT NULL CHECK (length("row_id") = 16),
  "time" INTEGER NOT NULL,
  "data" TEXT NOT NULL,
  "trace" TEXT
) STRICT;
"#;

/// The keys of the whole system on SQLite: not in the file of a service, for `mainstay key` writes
/// them while the services run.
pub(super) const SQLITE_KEYS: &str = r#"-- keys of actors that call by key: hashes only
CREATE TABLE IF NOT EXISTS "mainstay_api_keys" (
  "prefix" TEXT NOT NULL PRIMARY KEY,
  "hash" BLOB NOT NULL UNIQUE CHECK (length("hash") = 32),
  "actor" TEXT NOT NULL,
  "roles" TEXT NOT NULL,
  "tenant" TEXT,
  "subject" TEXT NOT NULL,
  "label" TEXT NOT NULL,
  "created" INTEGER NOT NULL,
  "expires" INTEGER,
  "revoked" INTEGER,
  "used" INTEGER
) STRICT;
"#;

/// The same on PostgreSQL.
pub(super) const POSTGRESQL: &str = r#"
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
"#;
