ALTER TABLE alerts ADD COLUMN disposition TEXT;
ALTER TABLE alerts ADD COLUMN owner TEXT;
CREATE INDEX alerts_status ON alerts (status, raised, id);

CREATE TABLE activity (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    alert_id TEXT NOT NULL,
    time INTEGER NOT NULL,
    who TEXT NOT NULL,
    version INTEGER NOT NULL,
    json TEXT NOT NULL
) STRICT;
CREATE INDEX activity_alert ON activity (alert_id, seq);
