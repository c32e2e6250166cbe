//! People who may use the page and the API, their sessions and tokens, and what they did.
//!
//! In: names, roles, and hashes of what is secret. Out: the same. Never sees a password, a
//! session's id or a token; never lets the last administrator go.

use rusqlite::{OptionalExtension, Row, Transaction, params};
use tocsin_model::Timestamp;

use crate::error::{Result, refuse};
use crate::{Catalog, Fault, now, whole};

/// The most people.
pub const USERS_MAX: u64 = 1000;
/// The most tokens.
pub const TOKENS_MAX: u64 = 1000;
/// Entries that the audit log keeps, the newest.
pub const AUDIT_MAX: i64 = 100_000;
/// Letters that a name may have beside letters and digits.
const NAME_SIGNS: &str = "._-@";
/// The longest name, bytes.
pub const NAME_BYTES_MAX: usize = 64;
/// The role that can do everything.
const ADMIN: &str = "admin";

/// Somebody who may sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// What they are called.
    pub name: String,
    /// `viewer`, `analyst` or `admin`.
    pub role: String,
    /// Hash of the password; empty when they sign in with a provider.
    pub password: String,
    /// Whether they sign in with a provider of identities.
    pub provided: bool,
    /// When the account was made.
    pub created: Timestamp,
    /// When password or role were last changed.
    pub changed: Timestamp,
}

/// Somebody who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Hash of its id.
    pub hash: String,
    /// Whose.
    pub user: String,
    /// Their role.
    pub role: String,
    /// Since when.
    pub created: Timestamp,
    /// When it was last used.
    pub seen: Timestamp,
    /// From where it was opened.
    pub address: String,
}

/// What a program signs in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What people call it.
    pub name: String,
    /// Hash of the token.
    pub hash: String,
    /// What it may do.
    pub scope: String,
    /// Who made it.
    pub made_by: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last used.
    pub used: Option<Timestamp>,
}

/// Something that was done, or tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its number, growing.
    pub seq: u64,
    /// When.
    pub time: Timestamp,
    /// Who: a name, `token NAME`, or what was said at the door.
    pub who: String,
    /// From where.
    pub address: String,
    /// What.
    pub what: String,
    /// How it was answered, an HTTP status.
    pub status: u16,
}

fn check_name(name: &str) -> Result<(), Fault> {
    let fits = |c: char| c.is_alphanumeric() || NAME_SIGNS.contains(c);
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(fits) {
        return refuse(format!(
            "a name has 1 to {NAME_BYTES_MAX} bytes of letters, digits and {NAME_SIGNS}"
        ));
    }
    Ok(())
}

fn user(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        name: row.get(0)?,
        role: row.get(1)?,
        password: row.get(2)?,
        created: Timestamp(row.get(3)?),
        changed: Timestamp(row.get(4)?),
        provided: row.get(5)?,
    })
}

fn session(row: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(Session {
        hash: row.get(0)?,
        user: row.get(1)?,
        role: row.get(2)?,
        created: Timestamp(row.get(3)?),
        seen: Timestamp(row.get(4)?),
        address: row.get(5)?,
    })
}

fn token(row: &Row<'_>) -> rusqlite::Result<Token> {
    Ok(Token {
        name: row.get(0)?,
        hash: row.get(1)?,
        scope: row.get(2)?,
        made_by: row.get(3)?,
        created: Timestamp(row.get(4)?),
        used: row.get::<_, Option<i64>>(5)?.map(Timestamp),
    })
}

const USERS: &str = "SELECT name, role, password, created, changed,
    EXISTS (SELECT 1 FROM provided WHERE user = name) FROM users";
const SESSIONS: &str = "SELECT hash, user, role, sessions.created, seen, address
    FROM sessions JOIN users ON users.name = sessions.user";
const TOKENS: &str = "SELECT name, hash, scope, made_by, created, used FROM tokens";

fn count(transaction: &Transaction<'_>, table: &str) -> Result<u64, Fault> {
    let sql = format!("SELECT count(*) FROM {table}");
    Ok(transaction.query_row(&sql, [], |row| whole(row, 0))?)
}

/// Makes an account, unless the name is taken.
pub(crate) fn insert_user(
    transaction: &Transaction<'_>,
    name: &str,
    role: &str,
    password: &str,
    now: Timestamp,
) -> Result<bool, Fault> {
    check_name(name)?;
    if count(transaction, "users")? >= USERS_MAX {
        return refuse(format!("there are {USERS_MAX} accounts; remove some"));
    }
    let sql = "INSERT INTO users VALUES (?1, ?2, ?3, ?4, ?4) ON CONFLICT DO NOTHING";
    Ok(transaction.execute(sql, params![name, role, password, now.0])? > 0)
}

/// Somebody must be able to do everything, and without a provider, which may be away.
fn keep_an_admin(transaction: &Transaction<'_>) -> Result<(), Fault> {
    let sql = "SELECT count(*) FROM users WHERE role = ?1
        AND NOT EXISTS (SELECT 1 FROM provided WHERE user = name)";
    let admins = transaction.query_row(sql, [ADMIN], |row| whole(row, 0))?;
    if admins == 0 {
        return refuse("this is the last administrator with a password; make another one first");
    }
    Ok(())
}

impl Catalog {
    /// Everybody, by name.
    pub fn users(&self) -> Result<Vec<User>> {
        self.read(|connection| {
            let sql = format!("{USERS} ORDER BY name");
            connection.prepare_cached(&sql)?.query_map([], user)?.collect()
        })
    }

    /// Somebody.
    pub fn user(&self, name: &str) -> Result<Option<User>> {
        self.read(|connection| {
            let sql = format!("{USERS} WHERE name = ?1");
            connection.prepare_cached(&sql)?.query_row([name], user).optional()
        })
    }

    /// Makes an account. With `first` only when there is none.
    ///
    /// # Errors
    /// When the name cannot be one or is taken, or there are accounts and should be none.
    pub fn add_user(&self, name: &str, role: &str, password: &str, first: bool) -> Result<()> {
        let now = now();
        self.write(|transaction| {
            if first && count(transaction, "users")? > 0 {
                return refuse("the first account has been made already; sign in");
            }
            if !insert_user(transaction, name, role, password, now)? {
                return refuse(format!("there is an account {name:?} already"));
            }
            keep_an_admin(transaction)
        })
    }

    /// Changes role or password; both end that person's sessions. Whether there is one.
    ///
    /// # Errors
    /// When no administrator would be left, or the provider decides about theirs.
    pub fn change_user(
        &self,
        name: &str,
        role: Option<&str>,
        password: Option<&str>,
    ) -> Result<bool> {
        let now = now();
        self.write(|transaction| {
            let sql = "SELECT EXISTS (SELECT 1 FROM provided WHERE user = ?1)";
            if transaction.query_row(sql, [name], |row| row.get(0))? {
                return refuse(format!(
                    "{name} signs in with the provider, which gives the role; there is no password here"
                ));
            }
            let changed = transaction.execute(
                "UPDATE users SET role = coalesce(?2, role), password = coalesce(?3, password),
                    changed = ?4 WHERE name = ?1",
                params![name, role, password, now.0],
            )?;
            transaction.execute("DELETE FROM sessions WHERE user = ?1", [name])?;
            if changed > 0 {
                keep_an_admin(transaction)?;
            }
            Ok(changed > 0)
        })
    }

    /// Removes an account, its sessions and the searches it kept for itself. Whether there was one.
    ///
    /// # Errors
    /// When no administrator would be left.
    pub fn remove_user(&self, name: &str) -> Result<bool> {
        self.write(|transaction| {
            let gone = transaction.execute("DELETE FROM users WHERE name = ?1", [name])?;
            if gone > 0 {
                keep_an_admin(transaction)?;
                // Nobody else of that name is to see them.
                let sql = "DELETE FROM searches WHERE owner = ?1 AND NOT shared";
                transaction.execute(sql, [name])?;
            }
            Ok(gone > 0)
        })
    }

    /// Signs somebody in, and forgets sessions older than `oldest` or unused since `unused`.
    pub fn add_session(
        &self,
        hash: &str,
        user: &str,
        address: &str,
        oldest: Timestamp,
        unused: Timestamp,
    ) -> Result<()> {
        let now = now();
        self.write(|transaction| {
            transaction.execute(
                "DELETE FROM sessions WHERE created < ?1 OR seen < ?2",
                params![oldest.0, unused.0],
            )?;
            transaction.execute(
                "INSERT INTO sessions VALUES (?1, ?2, ?3, ?3, ?4)",
                params![hash, user, now.0, address],
            )?;
            Ok(())
        })
    }

    /// The session of an id's hash.
    pub fn session(&self, hash: &str) -> Result<Option<Session>> {
        self.read(|connection| {
            let sql = format!("{SESSIONS} WHERE hash = ?1");
            connection.prepare_cached(&sql)?.query_row([hash], session).optional()
        })
    }

    /// Every session, the last used first.
    pub fn sessions(&self) -> Result<Vec<Session>> {
        self.read(|connection| {
            let sql = format!("{SESSIONS} ORDER BY seen DESC, hash");
            connection.prepare_cached(&sql)?.query_map([], session)?.collect()
        })
    }

    /// Notes that a session was used.
    pub fn touch_session(&self, hash: &str) -> Result<()> {
        let now = now();
        self.write(|transaction| {
            let sql = "UPDATE sessions SET seen = ?2 WHERE hash = ?1";
            transaction.execute(sql, params![hash, now.0])?;
            Ok(())
        })
    }

    /// Ends sessions: the one of a hash, or all of a user.
    pub fn end_sessions(&self, hash: &str, user: &str) -> Result<u64> {
        self.write(|transaction| {
            let sql = "DELETE FROM sessions WHERE hash = ?1 OR user = ?2";
            Ok(transaction.execute(sql, [hash, user])? as u64)
        })
    }

    /// Makes a token.
    ///
    /// # Errors
    /// When the name cannot be one or is taken.
    pub fn add_token(&self, name: &str, hash: &str, scope: &str, made_by: &str) -> Result<()> {
        let now = now();
        self.write(|transaction| {
            check_name(name)?;
            if count(transaction, "tokens")? >= TOKENS_MAX {
                return refuse(format!("there are {TOKENS_MAX} tokens; remove some"));
            }
            let added = transaction.execute(
                "INSERT INTO tokens VALUES (?1, ?2, ?3, ?4, ?5, NULL) ON CONFLICT DO NOTHING",
                params![name, hash, scope, made_by, now.0],
            )?;
            if added == 0 {
                return refuse(format!("there is a token {name:?} already"));
            }
            Ok(())
        })
    }

    /// Every token, by name.
    pub fn tokens(&self) -> Result<Vec<Token>> {
        self.read(|connection| {
            let sql = format!("{TOKENS} ORDER BY name");
            connection.prepare_cached(&sql)?.query_map([], token)?.collect()
        })
    }

    /// The token of a hash.
    pub fn token(&self, hash: &str) -> Result<Option<Token>> {
        self.read(|connection| {
            let sql = format!("{TOKENS} WHERE hash = ?1");
            connection.prepare_cached(&sql)?.query_row([hash], token).optional()
        })
    }

    /// Notes that a token was used.
    pub fn touch_token(&self, name: &str) -> Result<()> {
        let now = now();
        self.write(|transaction| {
            let sql = "UPDATE tokens SET used = ?2 WHERE name = ?1";
            transaction.execute(sql, params![name, now.0])?;
            Ok(())
        })
    }

    /// Removes a token. Whether there was one.
    pub fn remove_token(&self, name: &str) -> Result<bool> {
        self.write(|transaction| {
            Ok(transaction.execute("DELETE FROM tokens WHERE name = ?1", [name])? > 0)
        })
    }

    /// Writes down what was done.
    pub fn add_audit(&self, who: &str, address: &str, what: &str, status: u16) -> Result<()> {
        let now = now();
        self.write(|transaction| {
            transaction.execute(
                "INSERT INTO audit (time, who, address, what, status) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![now.0, who, address, what, status],
            )?;
            let oldest = transaction.last_insert_rowid() - AUDIT_MAX;
            transaction.execute("DELETE FROM audit WHERE seq <= ?1", [oldest])?;
            Ok(())
        })
    }

    /// What was done, the newest first: entries before a number that hold a text.
    pub fn audit(&self, text: &str, before: Option<u64>, limit: usize) -> Result<Vec<AuditEntry>> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT seq, time, who, address, what, status FROM audit
                 WHERE seq < ?1 AND instr(lower(who || ' ' || address || ' ' || what), ?2)
                 ORDER BY seq DESC LIMIT ?3",
            )?;
            let before = before.and_then(|seq| i64::try_from(seq).ok()).unwrap_or(i64::MAX);
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = statement.query_map(params![before, text.to_lowercase(), limit], |row| {
                Ok(AuditEntry {
                    seq: whole(row, 0)?,
                    time: Timestamp(row.get(1)?),
                    who: row.get(2)?,
                    address: row.get(3)?,
                    what: row.get(4)?,
                    status: row.get(5)?,
                })
            })?;
            rows.collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog() -> (tempfile::TempDir, Catalog) {
        let dir = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(dir.path()).unwrap();
        (dir, catalog)
    }

    #[test]
    fn the_last_administrator_stays() {
        let (_dir, catalog) = catalog();
        assert!(catalog.add_user("vi", "viewer", "x", true).is_err(), "nobody could do anything");
        catalog.add_user("ann", "admin", "x", true).unwrap();
        assert!(catalog.add_user("eve", "admin", "x", true).is_err(), "the first is there");
        assert!(catalog.add_user("ann", "viewer", "x", false).is_err(), "the name is taken");
        assert!(catalog.remove_user("ann").is_err());
        assert!(catalog.change_user("ann", Some("viewer"), None).is_err());
        catalog.add_user("ben", "admin", "x", false).unwrap();
        assert!(catalog.remove_user("ann").unwrap());
        assert!(!catalog.remove_user("ann").unwrap());
        for name in ["", "a b", "x\n", "a/b", &"x".repeat(65)] {
            assert!(catalog.add_user(name, "viewer", "x", false).is_err(), "{name:?}");
        }
    }

    #[test]
    fn sessions_end_with_what_they_stand_on() {
        let (_dir, catalog) = catalog();
        catalog.add_user("ann", "admin", "x", true).unwrap();
        catalog.add_user("ben", "viewer", "x", false).unwrap();
        let (long_ago, open) = (Timestamp(0), |hash: &str, user: &str| {
            catalog.add_session(hash, user, "192.0.2.1", Timestamp(0), Timestamp(0)).unwrap();
        });
        open("1", "ben");
        open("2", "ben");
        assert_eq!(catalog.session("1").unwrap().unwrap().role, "viewer");
        assert_eq!(catalog.end_sessions("1", "").unwrap(), 1);
        assert!(catalog.session("1").unwrap().is_none());
        catalog.change_user("ben", Some("analyst"), None).unwrap();
        assert!(catalog.session("2").unwrap().is_none(), "a new role needs a new session");
        open("3", "ben");
        catalog.remove_user("ben").unwrap();
        assert!(catalog.session("3").unwrap().is_none());
        open("4", "ann");
        let later = Timestamp(now().0 + 1);
        catalog.add_session("5", "ann", "", later, long_ago).unwrap();
        assert!(catalog.session("4").unwrap().is_none(), "it was too old");
    }

    #[test]
    fn tokens_and_the_audit_log() {
        let (_dir, catalog) = catalog();
        catalog.add_token("grafana", "hash", "read", "ann").unwrap();
        assert!(catalog.add_token("grafana", "other", "read", "ann").is_err());
        catalog.touch_token("grafana").unwrap();
        assert!(catalog.token("hash").unwrap().unwrap().used.is_some());
        assert!(catalog.remove_token("grafana").unwrap());
        for what in ["sign in", "POST /api/v1/rules", "sign out"] {
            catalog.add_audit("ann", "::1", what, 200).unwrap();
        }
        let found = catalog.audit("SIGN", None, 10).unwrap();
        assert_eq!(
            found.iter().map(|entry| entry.what.as_str()).collect::<Vec<_>>(),
            ["sign out", "sign in"]
        );
        assert_eq!(catalog.audit("", Some(found[0].seq), 1).unwrap()[0].what, "POST /api/v1/rules");
    }
}
