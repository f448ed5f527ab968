PRAGMA foreign_keys = ON;

CREATE TABLE "tickets_tickets" (
  "id" BLOB NOT NULL CHECK (length("id") = 16),
  "row_version" INTEGER NOT NULL CHECK ("row_version" >= 1),
  "created_at" INTEGER NOT NULL,
  "updated_at" INTEGER NOT NULL,
  "kiosk" TEXT NOT NULL,
  "day" INTEGER NOT NULL,
  "price" INTEGER NOT NULL,
  "price_currency" TEXT NOT NULL CHECK ("price_currency" IN ('EUR')),
  "status" TEXT NOT NULL CHECK ("status" IN ('offered', 'reserved', 'paid', 'used', 'void')),
  PRIMARY KEY ("id")
) STRICT;

-- `GET /v1/tickets` as `kiosk when kiosk == me`, newest first
CREATE INDEX "ix_tickets_tickets_kiosk_id" ON "tickets_tickets" ("kiosk", "id");

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
  "trace" TEXT,
  "version" INTEGER NOT NULL DEFAULT 1
) STRICT;

-- the events of a tenant
CREATE INDEX IF NOT EXISTS "ix_mainstay_outbox_tenant"
  ON "mainstay_outbox" ("tenant", "position");

-- which part of a log a consumer has settled how far, and who works on it
CREATE TABLE IF NOT EXISTS "mainstay_consumers" (
  "id" BLOB NOT NULL PRIMARY KEY CHECK (length("id") = 16),
  "consumer" TEXT NOT NULL,
  "source" TEXT NOT NULL,
  "part" INTEGER NOT NULL,
  "tenant" TEXT,
  "position" INTEGER NOT NULL,
  "epoch" INTEGER NOT NULL,
  "owner" TEXT NOT NULL,
  "until" INTEGER NOT NULL,
  "moved" BLOB CHECK (length("moved") = 16)
) STRICT;

-- events whose effect is committed, so that none has it twice
CREATE TABLE IF NOT EXISTS "mainstay_inbox" (
  "id" BLOB NOT NULL PRIMARY KEY CHECK (length("id") = 16),
  "consumer" TEXT NOT NULL,
  "event" BLOB NOT NULL CHECK (length("event") = 16),
  "tenant" TEXT,
  "time" INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- deletion of those whose time is over
CREATE INDEX IF NOT EXISTS "ix_mainstay_inbox_time" ON "mainstay_inbox" ("time");

-- how far the events of a tenant are folded into a view, committed with its rows
CREATE TABLE IF NOT EXISTS "mainstay_projections" (
  "id" BLOB NOT NULL PRIMARY KEY CHECK (length("id") = 16),
  "consumer" TEXT NOT NULL,
  "source" TEXT NOT NULL,
  "tenant" TEXT,
  "position" INTEGER NOT NULL
) STRICT;

-- events that a consumer could not do yet, or gave up
CREATE TABLE IF NOT EXISTS "mainstay_deliveries" (
  "id" BLOB NOT NULL PRIMARY KEY CHECK (length("id") = 16),
  "consumer" TEXT NOT NULL,
  "source" TEXT NOT NULL,
  "part" INTEGER NOT NULL,
  "position" INTEGER NOT NULL,
  "event_id" BLOB NOT NULL CHECK (length("event_id") = 16),
  "tenant" TEXT,
  "event" TEXT NOT NULL,
  "resource" TEXT NOT NULL,
  "row_id" BLOB NOT NULL CHECK (length("row_id") = 16),
  "time" INTEGER NOT NULL,
  "data" TEXT NOT NULL,
  "trace" TEXT,
  "state" TEXT NOT NULL CHECK ("state" IN ('retry', 'behind', 'dead')),
  "attempts" INTEGER NOT NULL,
  "due" INTEGER NOT NULL,
  "since" INTEGER NOT NULL,
  "errors" TEXT NOT NULL,
  "edited" INTEGER NOT NULL CHECK ("edited" IN (0, 1)),
  "version" INTEGER NOT NULL DEFAULT 1
) STRICT;

-- the first of a key
CREATE INDEX IF NOT EXISTS "ix_mainstay_deliveries_key" ON "mainstay_deliveries"
  ("consumer", "source", "part", "resource", "row_id", "position");

-- what is to be tried again
CREATE INDEX IF NOT EXISTS "ix_mainstay_deliveries_due" ON "mainstay_deliveries"
  ("consumer", "source", "part", "due") WHERE "state" <> 'dead';

-- what was given up
CREATE INDEX IF NOT EXISTS "ix_mainstay_deliveries_dead" ON "mainstay_deliveries"
  ("tenant", "since", "event_id") WHERE "state" = 'dead';

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

-- endpoints that events are delivered to; keys are encrypted
CREATE TABLE IF NOT EXISTS "mainstay_webhooks" (
  "id" BLOB NOT NULL PRIMARY KEY CHECK (length("id") = 16),
  "tenant" TEXT,
  "owner" TEXT NOT NULL,
  "actor" TEXT NOT NULL,
  "url" TEXT NOT NULL,
  "events" TEXT NOT NULL,
  "description" TEXT NOT NULL,
  "signing" TEXT NOT NULL CHECK ("signing" IN ('hmac', 'ed25519')),
  "secret" TEXT NOT NULL,
  "previous" TEXT,
  "previous_until" INTEGER,
  "state" TEXT NOT NULL CHECK ("state" IN ('active', 'disabled')),
  "reason" TEXT,
  "failing" INTEGER,
  "created" INTEGER NOT NULL,
  "updated" INTEGER NOT NULL
) STRICT;

-- the endpoints of a tenant
CREATE INDEX IF NOT EXISTS "ix_mainstay_webhooks_tenant" ON "mainstay_webhooks" ("tenant", "id");

-- what came of deliveries
CREATE TABLE IF NOT EXISTS "mainstay_webhook_attempts" (
  "id" BLOB NOT NULL PRIMARY KEY CHECK (length("id") = 16),
  "endpoint" BLOB NOT NULL CHECK (length("endpoint") = 16),
  "tenant" TEXT,
  "event_id" BLOB NOT NULL CHECK (length("event_id") = 16),
  "event" TEXT NOT NULL,
  "at" INTEGER NOT NULL,
  "status" INTEGER,
  "error" TEXT,
  "took" INTEGER NOT NULL,
  "answer" TEXT NOT NULL
) STRICT;

-- the attempts of an endpoint
CREATE INDEX IF NOT EXISTS "ix_mainstay_webhook_attempts_endpoint"
  ON "mainstay_webhook_attempts" ("endpoint", "id");

-- deletion of those whose time is over
CREATE INDEX IF NOT EXISTS "ix_mainstay_webhook_attempts_at"
  ON "mainstay_webhook_attempts" ("at");

-- long-running operations: what was asked for, how far it is, what came of it
CREATE TABLE IF NOT EXISTS "mainstay_operations" (
  "id" BLOB NOT NULL PRIMARY KEY CHECK (length("id") = 16),
  "tenant" TEXT,
  "kind" TEXT NOT NULL,
  "owner" TEXT NOT NULL,
  "caller" TEXT NOT NULL,
  "input" TEXT NOT NULL,
  "priority" INTEGER NOT NULL,
  "created" INTEGER NOT NULL,
  "trace" TEXT,
  "state" TEXT NOT NULL
    CHECK ("state" IN ('queued', 'running', 'done', 'failed', 'cancelled')),
  "total" INTEGER,
  "done" INTEGER NOT NULL,
  "failed" INTEGER NOT NULL,
  "attempts" INTEGER NOT NULL,
  "due" INTEGER NOT NULL,
  "epoch" INTEGER NOT NULL,
  "worker" TEXT NOT NULL,
  "until" INTEGER NOT NULL,
  "place" TEXT NOT NULL,
  "result" TEXT,
  "problem" TEXT,
  "started" INTEGER,
  "ended" INTEGER,
  "expires" INTEGER
) STRICT;

-- what comes next
CREATE INDEX IF NOT EXISTS "ix_mainstay_operations_open"
  ON "mainstay_operations" ("state", "due") WHERE "state" IN ('queued', 'running');

-- tenants take turns
CREATE INDEX IF NOT EXISTS "ix_mainstay_operations_served"
  ON "mainstay_operations" (coalesce("tenant", ''), "started");

-- the operations of a caller
CREATE INDEX IF NOT EXISTS "ix_mainstay_operations_owner"
  ON "mainstay_operations" ("owner", "id");

-- deletion of those whose time is over
CREATE INDEX IF NOT EXISTS "ix_mainstay_operations_expires"
  ON "mainstay_operations" ("expires") WHERE "expires" IS NOT NULL;

-- what is kept of them in pieces: rows that came, the report, what was made
CREATE TABLE IF NOT EXISTS "mainstay_operation_chunks" (
  "id" BLOB NOT NULL PRIMARY KEY CHECK (length("id") = 16),
  "operation" BLOB NOT NULL CHECK (length("operation") = 16),
  "tenant" TEXT,
  "part" TEXT NOT NULL CHECK ("part" IN ('input', 'report', 'result')),
  "number" INTEGER NOT NULL,
  "rows" INTEGER NOT NULL,
  "failed" INTEGER NOT NULL,
  "data" TEXT NOT NULL
) STRICT;

-- pieces in their order
CREATE INDEX IF NOT EXISTS "ix_mainstay_operation_chunks_part"
  ON "mainstay_operation_chunks" ("operation", "part", "number");
