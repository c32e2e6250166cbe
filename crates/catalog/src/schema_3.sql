-- What people except from alerting, and which alerts it hid.
CREATE TABLE exceptions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    rule_id TEXT,
    pack TEXT,
    condition TEXT NOT NULL,
    reason TEXT NOT NULL,
    owner TEXT NOT NULL,
    created INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    expires INTEGER,
    removed INTEGER,
    removed_by TEXT,
    json TEXT NOT NULL
) STRICT;

ALTER TABLE alerts ADD COLUMN exception INTEGER;
CREATE INDEX alerts_exception ON alerts (exception, raised, id) WHERE exception IS NOT NULL;
