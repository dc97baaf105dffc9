-- A log that has ended takes no leaf any more: `seal` is its last. The trigger is the last net, as for the others.
ALTER TABLE head ADD COLUMN sealed INTEGER NOT NULL DEFAULT 0;
CREATE TRIGGER leaves_end BEFORE INSERT ON leaves WHEN (SELECT sealed FROM head WHERE id=1)=1
BEGIN SELECT RAISE(ABORT, 'the log is sealed'); END;
