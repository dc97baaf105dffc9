-- Who may hold a record: the asks for rows of an answerer, purpose and epoch, without a look at the table.
CREATE INDEX exchanges_at ON exchanges (answerer, purpose, epoch, counted, status, ask_index);

-- Disputes and notices hold nothing personal: what points at a person is a commitment, and the vault opens it.
CREATE TABLE disputes (
  notice TEXT NOT NULL,
  asker TEXT NOT NULL,
  exchange TEXT NOT NULL,
  answerer TEXT NOT NULL,
  purpose TEXT NOT NULL,
  epoch TEXT NOT NULL,
  record TEXT NOT NULL,
  entry INTEGER NOT NULL,
  disputed_at INTEGER NOT NULL,
  resolved INTEGER,
  PRIMARY KEY (notice, epoch)
) WITHOUT ROWID;
CREATE INDEX disputes_open ON disputes (answerer, purpose, epoch, entry) WHERE resolved IS NULL;

CREATE TABLE notices (
  notice TEXT PRIMARY KEY,
  party TEXT NOT NULL,
  entry INTEGER NOT NULL,
  acknowledged INTEGER
) WITHOUT ROWID;
CREATE INDEX notices_of ON notices (party, entry);
CREATE INDEX notices_open ON notices (party, entry) WHERE acknowledged IS NULL;
