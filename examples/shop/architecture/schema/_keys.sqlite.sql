-- keys of actors that call by key: hashes only
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
