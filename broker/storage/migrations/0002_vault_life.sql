-- What a vault slot is and which exchanges it belongs to, so that retention can be logged by purpose, holds can keep it,
-- and an exchange can be erased. `label` and use are not personal; slots of answers that wait 24 hours are in no entry.
ALTER TABLE vault ADD COLUMN label TEXT NOT NULL DEFAULT 'answer';
CREATE TABLE vault_uses (
  commitment TEXT NOT NULL,
  ask_index INTEGER NOT NULL,
  PRIMARY KEY (commitment, ask_index)
) WITHOUT ROWID;
CREATE INDEX vault_uses_by_ask ON vault_uses (ask_index);
CREATE INDEX vault_labelled ON vault (label, commitment);

-- Which erasure entry named a commitment. Filled with the entry, and again from the log where a restore lost it.
CREATE TABLE erased (commitment TEXT PRIMARY KEY, entry INTEGER NOT NULL) WITHOUT ROWID;

-- Slots of before this version: their entries say what they are.
CREATE TEMP TABLE found (commitment TEXT, label TEXT, ask_index INTEGER);
CREATE INDEX temp.found_by_commitment ON found (commitment);
INSERT INTO found
  SELECT tokens, 'tokens', ask_index FROM exchanges
  UNION ALL
  SELECT json_extract(CAST(l.leaf AS TEXT), '$.body.statement.case_number'), 'case-number', e.ask_index
    FROM exchanges e JOIN leaves l ON l.entry=e.ask_index
  UNION ALL
  SELECT json_extract(CAST(l.leaf AS TEXT), '$.body.statement.cooperation_ref'), 'cooperation-ref', e.ask_index
    FROM exchanges e JOIN leaves l ON l.entry=e.ask_index
  UNION ALL
  SELECT json_extract(CAST(l.leaf AS TEXT), '$.body.result'), 'result', e.ask_index
    FROM exchanges e JOIN leaves l ON l.entry=e.release_index;
INSERT OR IGNORE INTO vault_uses SELECT f.commitment, min(f.ask_index) FROM found f JOIN exchanges e ON e.ask_index=f.ask_index
  WHERE f.commitment IN (SELECT commitment FROM vault) GROUP BY f.commitment, e.asker, e.exchange;
UPDATE vault SET label=(SELECT label FROM found f WHERE f.commitment=vault.commitment LIMIT 1)
  WHERE commitment IN (SELECT commitment FROM found);
DROP TABLE found;
