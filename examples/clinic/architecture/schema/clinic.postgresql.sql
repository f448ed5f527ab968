-- equality beside spans in one exclusion constraint
CREATE EXTENSION IF NOT EXISTS btree_gist;
-- words within the searched columns
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE SCHEMA "people";
CREATE SCHEMA "scheduling";
CREATE SCHEMA "records";

CREATE TABLE "people"."patients" (
  "id" uuid NOT NULL,
  "row_version" bigint NOT NULL CHECK ("row_version" >= 1),
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  "account" text COLLATE "C" NOT NULL,
  "name" text COLLATE "C" CHECK (char_length("name") <= 120),
  "name_search" text COLLATE "C",
  "born" date,
  "email" text COLLATE "C",
  "phone" text COLLATE "C" CHECK (char_length("phone") <= 30),
  "insurance" text COLLATE "C" CHECK (char_length("insurance") <= 40),
  PRIMARY KEY ("id")
);

-- unique `insurance`
CREATE UNIQUE INDEX "ux_people_patients_insurance" ON "people"."patients" ("insurance");

-- `GET /v1/patients` as `patient when own`, newest first
CREATE INDEX "ix_people_patients_account_id" ON "people"."patients" ("account", "id");

-- `q` of `GET /v1/patients`
CREATE INDEX "ix_people_patients_id_name_search" ON "people"."patients" USING gin ("name_search" gin_trgm_ops);

CREATE TABLE "scheduling"."appointments" (
  "id" uuid NOT NULL,
  "row_version" bigint NOT NULL CHECK ("row_version" >= 1),
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  "patient" text COLLATE "C" NOT NULL,
  "doctor" text COLLATE "C" NOT NULL,
  "during_start" timestamptz NOT NULL,
  "during_end" timestamptz NOT NULL,
  "reason" text COLLATE "C" CHECK (char_length("reason") <= 200),
  "status" text COLLATE "C" NOT NULL CHECK ("status" IN ('booked', 'arrived', 'seen', 'missed')),
  PRIMARY KEY ("id"),
  CHECK ("during_start" < "during_end"),
  EXCLUDE USING gist ("doctor" WITH =, tstzrange("during_start", "during_end", '[)') WITH &&)
);

-- `GET /v1/appointments` as `patient when own`, newest first
-- `GET /v1/appointments` of journey `book`, newest first
CREATE INDEX "ix_scheduling_appointments_patient_id" ON "scheduling"."appointments" ("patient", "id");

-- `GET /v1/appointments` as `doctor when doctor == me`, newest first
-- `GET /v1/appointments` of journey `look`, newest first
CREATE INDEX "ix_scheduling_appointments_doctor_id" ON "scheduling"."appointments" ("doctor", "id");

CREATE TABLE "records"."entries" (
  "id" uuid NOT NULL,
  "row_version" bigint NOT NULL CHECK ("row_version" >= 1),
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  "appointment" uuid NOT NULL,
  "author" text COLLATE "C" NOT NULL,
  "kind" text COLLATE "C" NOT NULL CHECK ("kind" IN ('finding', 'therapy', 'letter')),
  "summary" text COLLATE "C" NOT NULL CHECK (char_length("summary") <= 300),
  "detail" text COLLATE "C" NOT NULL CHECK (char_length("detail") <= 20000),
  "signed" text COLLATE "C" NOT NULL CHECK ("signed" IN ('draft', 'signed_off')),
  PRIMARY KEY ("id")
);

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
