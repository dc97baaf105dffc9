-- What a correction commits to belongs to no exchange, so no order erases it with one. A legal hold keeps it when it
-- covers one of these: the correction itself, as asker, exchange (its request id) and time; or an ask that it told.
CREATE TABLE vault_kept (
  commitment TEXT NOT NULL,
  asker TEXT NOT NULL,
  exchange TEXT NOT NULL,
  principal TEXT,
  answerer TEXT NOT NULL,
  purpose TEXT NOT NULL,
  ask_index INTEGER NOT NULL,
  asked_at INTEGER NOT NULL,
  PRIMARY KEY (commitment, ask_index)
) WITHOUT ROWID;

-- Corrections of before this version: their entries say what they are.
CREATE TEMP TABLE corrected (entry INTEGER PRIMARY KEY, leaf TEXT, at INTEGER);
INSERT OR IGNORE INTO corrected
  SELECT l.entry, CAST(l.leaf AS TEXT),
    CAST(strftime('%s', substr(json_extract(CAST(l.leaf AS TEXT), '$.sequenced_at'), 1, 19)) AS INTEGER) * 1000000
    + CAST(substr(json_extract(CAST(l.leaf AS TEXT), '$.sequenced_at'), 21, 6) AS INTEGER)
  FROM documents d JOIN leaves l ON l.entry=json_extract(CAST(d.value AS TEXT), '$.entry')
  WHERE d.kind='rectification' AND json_extract(CAST(l.leaf AS TEXT), '$.kind')='correction';
INSERT OR IGNORE INTO vault_kept
  SELECT json_extract(leaf, '$.body.statement.record'), json_extract(leaf, '$.body.answerer'),
    json_extract(leaf, '$.body.statement.request_id'), NULL, json_extract(leaf, '$.body.answerer'),
    json_extract(leaf, '$.body.purpose'), entry, at
  FROM corrected;
CREATE TEMP TABLE told (commitment TEXT, party TEXT, correction INTEGER, asks TEXT);
INSERT INTO told
  SELECT json_extract(CAST(l.leaf AS TEXT), '$.body.positions'), n.party,
    json_extract(CAST(l.leaf AS TEXT), '$.body.correction'), json_extract(CAST(l.leaf AS TEXT), '$.body.asks')
  FROM notices n JOIN leaves l ON l.entry=n.entry
  WHERE json_extract(CAST(l.leaf AS TEXT), '$.body.what')='correction-notice';
INSERT OR IGNORE INTO vault_kept
  SELECT t.commitment, t.party, json_extract(c.leaf, '$.body.statement.request_id'), NULL,
    json_extract(c.leaf, '$.body.answerer'), json_extract(c.leaf, '$.body.purpose'), c.entry, c.at
  FROM told t JOIN corrected c ON c.entry=t.correction;
INSERT OR IGNORE INTO vault_kept
  SELECT t.commitment, e.asker, e.exchange, e.principal, e.answerer, e.purpose, e.ask_index, e.asked_at
  FROM told t, json_each(t.asks) a JOIN exchanges e ON e.ask_index=a.value;
INSERT OR IGNORE INTO vault_kept
  SELECT json_extract(c.leaf, '$.body.statement.record'), e.asker, e.exchange, e.principal, e.answerer, e.purpose,
    e.ask_index, e.asked_at
  FROM told t JOIN corrected c ON c.entry=t.correction, json_each(t.asks) a JOIN exchanges e ON e.ask_index=a.value;
DELETE FROM vault_kept WHERE commitment NOT IN (SELECT commitment FROM vault);
DROP TABLE told;
DROP TABLE corrected;
