-- words within the searched columns
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE SCHEMA "catalog";
CREATE SCHEMA "ordering";
CREATE SCHEMA "notifications";

CREATE TABLE "catalog"."products" (
  "org" text COLLATE "C" NOT NULL CHECK (char_length("org") >= 1),
  "id" uuid NOT NULL,
  "row_version" bigint NOT NULL CHECK ("row_version" >= 1),
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  "sku" text COLLATE "C" NOT NULL CHECK (char_length("sku") <= 40),
  "name" text COLLATE "C" NOT NULL CHECK (char_length("name") <= 200),
  "name_search" text COLLATE "C" NOT NULL,
  "price" bigint NOT NULL,
  "price_currency" char(3) NOT NULL,
  "stock" bigint NOT NULL CHECK ("stock" >= 0),
  PRIMARY KEY ("org", "id")
);
ALTER TABLE "catalog"."products" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "catalog"."products" FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON "catalog"."products"
  USING ("org" = current_setting('mainstay.tenant', true))
  WITH CHECK ("org" = current_setting('mainstay.tenant', true));

-- unique `sku`
CREATE UNIQUE INDEX "ux_catalog_products_org_sku" ON "catalog"."products" ("org", "sku");

-- `q` of `GET /v1/products`
CREATE INDEX "ix_catalog_products_org_id_name_search" ON "catalog"."products" USING gin ("name_search" gin_trgm_ops);

CREATE TABLE "ordering"."orders" (
  "org" text COLLATE "C" NOT NULL CHECK (char_length("org") >= 1),
  "id" uuid NOT NULL,
  "row_version" bigint NOT NULL CHECK ("row_version" >= 1),
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  "shopper" text COLLATE "C" NOT NULL,
  "total" bigint NOT NULL,
  "total_currency" char(3) NOT NULL,
  "note" text COLLATE "C" CHECK (char_length("note") <= 500),
  "status" text COLLATE "C" NOT NULL CHECK ("status" IN ('draft', 'placed', 'paid', 'shipped', 'cancelled')),
  PRIMARY KEY ("org", "id")
);
ALTER TABLE "ordering"."orders" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "ordering"."orders" FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON "ordering"."orders"
  USING ("org" = current_setting('mainstay.tenant', true))
  WITH CHECK ("org" = current_setting('mainstay.tenant', true));

-- `GET /v1/orders` as `shopper when own`, newest first
-- `GET /v1/orders` of journey `follow`, newest first
CREATE INDEX "ix_ordering_orders_org_shopper_id" ON "ordering"."orders" ("org", "shopper", "id");

-- `GET /v1/orders` of journey `pick` where status == paid, newest first
-- schedule `abandon_drafts`: status == draft && age > duration('7d')
CREATE INDEX "ix_ordering_orders_org_status_id" ON "ordering"."orders" ("org", "status", "id");

CREATE TABLE "ordering"."order_lines" (
  "org" text COLLATE "C" NOT NULL CHECK (char_length("org") >= 1),
  "id" uuid NOT NULL,
  "order_id" uuid NOT NULL,
  "position" bigint NOT NULL CHECK ("position" >= 0),
  "product" uuid NOT NULL,
  "price" bigint NOT NULL,
  "price_currency" char(3) NOT NULL,
  "quantity" bigint NOT NULL CHECK ("quantity" BETWEEN 1 AND 99),
  "amount" bigint NOT NULL,
  "amount_currency" char(3) NOT NULL,
  PRIMARY KEY ("org", "id"),
  FOREIGN KEY ("org", "order_id") REFERENCES "ordering"."orders" ("org", "id") ON DELETE CASCADE
);
ALTER TABLE "ordering"."order_lines" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "ordering"."order_lines" FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON "ordering"."order_lines"
  USING ("org" = current_setting('mainstay.tenant', true))
  WITH CHECK ("org" = current_setting('mainstay.tenant', true));

-- `lines` of one Order or of a page of them, in their order
CREATE INDEX "ix_ordering_order_lines_org_order_id_position" ON "ordering"."order_lines" ("org", "order_id", "position");

CREATE TABLE "notifications"."messages" (
  "org" text COLLATE "C" NOT NULL CHECK (char_length("org") >= 1),
  "id" uuid NOT NULL,
  "row_version" bigint NOT NULL CHECK ("row_version" >= 1),
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  "shopper" text COLLATE "C" NOT NULL,
  "template" text COLLATE "C" NOT NULL CHECK ("template" IN ('order_paid', 'order_shipped')),
  "order" uuid NOT NULL,
  "sent_at" timestamptz,
  PRIMARY KEY ("org", "id")
);
ALTER TABLE "notifications"."messages" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "notifications"."messages" FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON "notifications"."messages"
  USING ("org" = current_setting('mainstay.tenant', true))
  WITH CHECK ("org" = current_setting('mainstay.tenant', true));

-- `GET /v1/messages` as `shopper when shopper == me`, newest first
CREATE INDEX "ix_notifications_messages_org_shopper_id" ON "notifications"."messages" ("org", "shopper", "id");

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
