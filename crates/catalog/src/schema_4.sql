-- Addresses that are blocked, were or would have been, and what happened to each ban.
CREATE TABLE bans (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    address TEXT NOT NULL,
    alert_id TEXT,
    rule_id TEXT,
    rule_title TEXT,
    reason TEXT NOT NULL,
    by TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN
        ('planned', 'wanted', 'active', 'refused', 'failed', 'unwanted', 'lifted', 'expired')),
    note TEXT,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    changed INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX bans_alert ON bans (alert_id, address) WHERE alert_id IS NOT NULL AND rule_id IS NOT NULL;
CREATE INDEX bans_address ON bans (address, created);
CREATE INDEX bans_state ON bans (state, expires);

CREATE TABLE ban_activity (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    ban INTEGER NOT NULL REFERENCES bans (id),
    time INTEGER NOT NULL,
    who TEXT NOT NULL,
    state TEXT NOT NULL,
    note TEXT
) STRICT;
CREATE INDEX ban_activity_ban ON ban_activity (ban, id);
