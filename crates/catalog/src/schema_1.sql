CREATE TABLE alerts (
    id TEXT PRIMARY KEY,
    rule_id TEXT NOT NULL,
    rule_title TEXT NOT NULL,
    severity INTEGER NOT NULL,
    status TEXT NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    raised INTEGER NOT NULL,
    historical INTEGER NOT NULL,
    group_key TEXT NOT NULL,
    version INTEGER NOT NULL,
    search_text TEXT NOT NULL,
    json TEXT NOT NULL
) STRICT;
CREATE INDEX alerts_raised ON alerts (raised, id);
CREATE INDEX alerts_severity ON alerts (severity, raised, id);
CREATE INDEX alerts_rule ON alerts (rule_id, raised, id);
CREATE INDEX alerts_last_seen ON alerts (last_seen, id);

CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    channel TEXT NOT NULL,
    kind TEXT NOT NULL,
    alert_id TEXT NOT NULL,
    notice TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'dead')),
    attempts INTEGER NOT NULL DEFAULT 0,
    next_try INTEGER NOT NULL DEFAULT 0,
    last_error TEXT,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_pending ON outbox (next_try, seq) WHERE state = 'pending';
CREATE INDEX outbox_channel ON outbox (channel, state, next_try, seq);
CREATE INDEX outbox_alert ON outbox (alert_id);

CREATE TABLE counters (
    input TEXT NOT NULL,
    kind TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    value INTEGER NOT NULL,
    PRIMARY KEY (input, kind, reason)
) STRICT, WITHOUT ROWID;

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
