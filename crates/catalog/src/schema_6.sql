-- Incidents: alerts that belong together, and by what new ones find them.
CREATE TABLE incidents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    severity INTEGER NOT NULL
) STRICT;
CREATE INDEX incidents_last_seen ON incidents (last_seen, id);

CREATE TABLE incident_keys (
    key TEXT PRIMARY KEY,
    incident INTEGER NOT NULL,
    last_seen INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX incident_keys_incident ON incident_keys (incident);

ALTER TABLE alerts ADD COLUMN incident INTEGER;
CREATE INDEX alerts_incident ON alerts (incident, raised, id) WHERE incident IS NOT NULL;
