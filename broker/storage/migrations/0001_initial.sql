-- The log: leaves as hashed, complete tree nodes in the order they became complete, signed checkpoints, and the one size
-- that every batch moves by compare-and-set.
CREATE TABLE head (id INTEGER PRIMARY KEY CHECK (id = 1), size INTEGER NOT NULL);
INSERT INTO head (id, size) VALUES (1, 0);
CREATE TABLE leaves (entry INTEGER PRIMARY KEY, leaf BLOB NOT NULL);
CREATE TABLE nodes (id INTEGER PRIMARY KEY, hash BLOB NOT NULL);
CREATE TABLE checkpoints (size INTEGER PRIMARY KEY, note TEXT NOT NULL);
CREATE TABLE concerns (party TEXT NOT NULL, entry INTEGER NOT NULL, PRIMARY KEY (party, entry)) WITHOUT ROWID;

-- A bug must not be able to rewrite history; only someone with the file can, and the checkpoints show that.
CREATE TRIGGER leaves_stand BEFORE UPDATE ON leaves BEGIN SELECT RAISE(ABORT, 'leaves never change'); END;
CREATE TRIGGER leaves_stay BEFORE DELETE ON leaves BEGIN SELECT RAISE(ABORT, 'leaves are never deleted'); END;
CREATE TRIGGER nodes_stand BEFORE UPDATE ON nodes BEGIN SELECT RAISE(ABORT, 'nodes never change'); END;
CREATE TRIGGER checkpoints_stand BEFORE UPDATE ON checkpoints BEGIN SELECT RAISE(ABORT, 'checkpoints never change'); END;

-- What opens the commitments. `sealed` is AES-256-GCM under the slot's own key, which is wrapped in `slot_key`; values
-- over 1 MiB lie in `file` beside the database. Times are microseconds since 1970, UTC, everywhere.
CREATE TABLE vault (
  commitment TEXT PRIMARY KEY,
  slot_key BLOB NOT NULL,
  sealed BLOB,
  file TEXT,
  keep_until INTEGER NOT NULL,
  CHECK ((sealed IS NULL) <> (file IS NULL))
) WITHOUT ROWID;
CREATE INDEX vault_by_time ON vault (keep_until);

CREATE TABLE counters (name TEXT PRIMARY KEY, spent INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (kind TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (kind, key));

CREATE TABLE exchanges (
  ask_index INTEGER PRIMARY KEY,
  exchange TEXT NOT NULL,
  asker TEXT NOT NULL,
  principal TEXT,
  answerer TEXT NOT NULL,
  purpose TEXT NOT NULL,
  epoch TEXT NOT NULL,
  statement_digest TEXT NOT NULL,
  tokens TEXT NOT NULL,
  counted INTEGER NOT NULL,
  asked_at INTEGER NOT NULL,
  lease_until INTEGER NOT NULL,
  status INTEGER,
  release_index INTEGER,
  answer BLOB,
  UNIQUE (asker, exchange, answerer)
);
CREATE INDEX exchanges_by_purpose ON exchanges (asker, purpose, ask_index);
CREATE INDEX exchanges_open ON exchanges (lease_until) WHERE status IS NULL;
CREATE INDEX exchanges_counted ON exchanges (asker, answerer, purpose, epoch, ask_index) WHERE counted = 1;

CREATE TABLE registers (
  name TEXT PRIMARY KEY,
  answerer TEXT NOT NULL,
  purpose TEXT NOT NULL,
  epoch TEXT NOT NULL,
  version INTEGER NOT NULL,
  statement BLOB NOT NULL,
  signature BLOB NOT NULL,
  published_at INTEGER NOT NULL,
  withdrawn INTEGER NOT NULL
);
CREATE INDEX registers_of ON registers (answerer, purpose, epoch, name);
CREATE TABLE register_versions (name TEXT PRIMARY KEY, last INTEGER NOT NULL) WITHOUT ROWID;
