PRAGMA foreign_keys = ON;

CREATE TABLE "links_links" (
  "id" BLOB NOT NULL CHECK (length("id") = 16),
  "row_version" INTEGER NOT NULL CHECK ("row_version" >= 1),
  "created_at" INTEGER NOT NULL,
  "updated_at" INTEGER NOT NULL,
  "code" TEXT NOT NULL CHECK (length("code") BETWEEN 4 AND 16),
  "target" TEXT NOT NULL,
  "maker" TEXT NOT NULL,
  "note" TEXT CHECK (length("note") <= 200),
  "note_search" TEXT,
  "hits" INTEGER NOT NULL CHECK ("hits" >= 0),
  "status" TEXT NOT NULL CHECK ("status" IN ('open', 'closed')),
  PRIMARY KEY ("id")
) STRICT;

-- unique `code`
CREATE UNIQUE INDEX "ux_links_links_code" ON "links_links" ("code");

-- `GET /v1/links` as `maker when own`, newest first
-- `GET /v1/links` of journey `watch`, newest first
CREATE INDEX "ix_links_links_maker_id" ON "links_links" ("maker", "id");

-- `q` of `GET /v1/links`
CREATE INDEX "ix_links_links_id_note_search" ON "links_links" ("id", "note_search");

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
  "expires" INTEGER NOT NULL,
  "tenant" TEXT
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

-- who did what, in the transaction of the change, each entry chained to the one before
CREATE TABLE IF NOT EXISTS "mainstay_audit" (
  "chain" TEXT NOT NULL,
  "number" INTEGER NOT NULL,
  "tenant" TEXT,
  "id" BLOB NOT NULL UNIQUE CHECK (length("id") = 16),
  "time" INTEGER NOT NULL,
  "who" TEXT NOT NULL,
  "operation" TEXT NOT NULL,
  "resource" TEXT NOT NULL,
  "row_id" BLOB CHECK (length("row_id") = 16),
  "body" TEXT NOT NULL,
  "previous" BLOB NOT NULL CHECK (length("previous") = 32),
  "hash" BLOB NOT NULL CHECK (length("hash") = 32),
  PRIMARY KEY ("chain", "number"),
  UNIQUE ("chain", "id")
) STRICT;

-- where each chain ends, and where retention cut it off
CREATE TABLE IF NOT EXISTS "mainstay_audit_chains" (
  "chain" TEXT NOT NULL PRIMARY KEY,
  "tenant" TEXT,
  "number" INTEGER NOT NULL,
  "hash" BLOB NOT NULL CHECK (length("hash") = 32),
  "removed" INTEGER NOT NULL,
  "removed_hash" BLOB NOT NULL CHECK (length("removed_hash") = 32)
) STRICT;

-- nobody changes an entry
CREATE TRIGGER IF NOT EXISTS "mainstay_audit_unchanged"
BEFORE UPDATE ON "mainstay_audit"
BEGIN
  SELECT RAISE(ABORT, 'the audit trail is append-only');
END;

-- nothing but retention removes one (it says first how far it goes), or the end of its chain
CREATE TRIGGER IF NOT EXISTS "mainstay_audit_kept"
BEFORE DELETE ON "mainstay_audit"
WHEN EXISTS (
  SELECT 1 FROM "mainstay_audit_chains"
  WHERE "chain" = OLD."chain" AND "removed" < OLD."number"
)
BEGIN
  SELECT RAISE(ABORT, 'the audit trail is append-only');
END;
