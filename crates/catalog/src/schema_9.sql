-- Accounts that sign in with a provider of identities.
CREATE TABLE provided (
    user TEXT PRIMARY KEY REFERENCES users (name) ON DELETE CASCADE,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    UNIQUE (issuer, subject)
) STRICT, WITHOUT ROWID;
