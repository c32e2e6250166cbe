-- Searches that people keep, and rules that they switched on or off.
CREATE TABLE searches (
    id INTEGER PRIMARY KEY,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    shared INTEGER NOT NULL,
    json TEXT NOT NULL,
    changed INTEGER NOT NULL,
    UNIQUE (owner, name)
) STRICT;

CREATE TABLE rule_switches (
    rule_id TEXT PRIMARY KEY,
    enabled INTEGER NOT NULL,
    who TEXT NOT NULL,
    time INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
