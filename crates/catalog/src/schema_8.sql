-- Sources that send, with their rhythm; and what alerts add to the risk of whom they are about.
CREATE TABLE heard (
    dataset TEXT NOT NULL,
    host TEXT NOT NULL,
    input TEXT NOT NULL,
    json TEXT NOT NULL,
    forget INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (dataset, host, input)
) STRICT, WITHOUT ROWID;

CREATE TABLE risk (
    kind TEXT NOT NULL CHECK (kind IN ('address', 'user', 'host')),
    entity TEXT NOT NULL,
    alert_id TEXT NOT NULL,
    rule_id TEXT NOT NULL,
    rule_title TEXT NOT NULL,
    points REAL NOT NULL,
    time INTEGER NOT NULL,
    PRIMARY KEY (kind, entity, alert_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX risk_time ON risk (time);
