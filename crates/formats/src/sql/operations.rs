//! Mainstay's own tables of long-running operations, as the store makes them by itself.

/// On SQLite.
pub(super) const SQLITE: &str = r#"
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
"#;

/// On PostgreSQL.
pub(super) const POSTGRESQL: &str = r#"
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
"#;
