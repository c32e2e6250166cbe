//! Accounts that sign in with a provider of identities.
//!
//! In: the provider's name for somebody, and the role they get. Out: their account. They have no
//! password here; an account that has one is never theirs.

use rusqlite::{OptionalExtension, params};

use crate::accounts::insert_user;
use crate::error::refuse;
use crate::{Catalog, Result, now};

/// An account that somebody of a provider has signed in to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entered {
    /// Its name.
    pub name: String,
    /// Whether it is new.
    pub made: bool,
    /// Whether its role is another one than before; its sessions have ended then.
    pub role_changed: bool,
}

impl Catalog {
    /// The account of somebody, made when there is none, with this role.
    ///
    /// # Errors
    /// When a new one cannot have that name, or there are too many.
    pub fn enter_by_provider(
        &self,
        issuer: &str,
        subject: &str,
        name: &str,
        role: &str,
    ) -> Result<Entered> {
        let now = now();
        self.write(|transaction| {
            let known = transaction
                .query_row(
                    "SELECT name, role FROM provided JOIN users ON users.name = provided.user
                     WHERE issuer = ?1 AND subject = ?2",
                    [issuer, subject],
                    |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)),
                )
                .optional()?;
            if let Some((name, before)) = known {
                let role_changed = before != role;
                if role_changed {
                    let sql = "UPDATE users SET role = ?2, changed = ?3 WHERE name = ?1";
                    transaction.execute(sql, params![name, role, now.0])?;
                    transaction.execute("DELETE FROM sessions WHERE user = ?1", [&name])?;
                }
                return Ok(Entered { name, made: false, role_changed });
            }
            if !insert_user(transaction, name, role, "", now)? {
                return refuse(format!(
                    "there is an account {name:?} already that is not theirs; remove that one, or let server.oidc.name_claim name them otherwise"
                ));
            }
            let sql = "INSERT INTO provided VALUES (?1, ?2, ?3)";
            transaction.execute(sql, [name, issuer, subject])?;
            Ok(Entered { name: name.to_owned(), made: true, role_changed: false })
        })
    }

    /// Ends the sessions of somebody who gets no role any more. How many there were.
    pub fn leave_provider(&self, issuer: &str, subject: &str) -> Result<u64> {
        self.write(|transaction| {
            let sql = "DELETE FROM sessions WHERE user IN
                (SELECT user FROM provided WHERE issuer = ?1 AND subject = ?2)";
            Ok(transaction.execute(sql, [issuer, subject])? as u64)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tocsin_model::Timestamp;

    fn catalog() -> (tempfile::TempDir, Catalog) {
        let dir = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(dir.path()).unwrap();
        catalog.add_user("root", "admin", "hash", true).unwrap();
        (dir, catalog)
    }

    fn entered(name: &str, made: bool, role_changed: bool) -> Entered {
        Entered { name: name.to_owned(), made, role_changed }
    }

    #[test]
    fn an_account_is_made_once_and_follows_the_provider() {
        let (_dir, catalog) = catalog();
        let enter = |subject: &str, name: &str, role: &str| {
            catalog.enter_by_provider("https://id", subject, name, role)
        };
        assert_eq!(enter("1", "ann", "viewer").unwrap(), entered("ann", true, false));
        let never = Timestamp(0);
        catalog.add_session("h", "ann", "x", never, never).unwrap();
        // Another name there is the same person here.
        assert_eq!(enter("1", "anna", "viewer").unwrap(), entered("ann", false, false));
        assert!(catalog.session("h").unwrap().is_some());
        assert_eq!(enter("1", "ann", "admin").unwrap(), entered("ann", false, true));
        assert!(catalog.session("h").unwrap().is_none(), "rights have changed");
        let user = catalog.user("ann").unwrap().unwrap();
        assert_eq!((user.role.as_str(), user.provided), ("admin", true));
        assert!(!catalog.user("root").unwrap().unwrap().provided);
        catalog.add_session("h", "ann", "x", never, never).unwrap();
        assert_eq!(catalog.leave_provider("https://other", "1").unwrap(), 0);
        assert_eq!(catalog.leave_provider("https://id", "1").unwrap(), 1);
        assert!(catalog.remove_user("ann").unwrap());
        assert_eq!(enter("1", "ann", "viewer").unwrap(), entered("ann", true, false));
    }

    #[test]
    fn nobody_takes_over_an_account_by_its_name() {
        let (_dir, catalog) = catalog();
        for name in ["root", "", "a b"] {
            assert!(catalog.enter_by_provider("https://id", "1", name, "admin").is_err());
        }
        catalog.enter_by_provider("https://id", "1", "ann", "admin").unwrap();
        assert!(catalog.enter_by_provider("https://id", "2", "ann", "admin").is_err());
        assert!(catalog.enter_by_provider("https://other", "1", "ann", "admin").is_err());
    }

    #[test]
    fn an_administrator_with_a_password_stays() {
        let (_dir, catalog) = catalog();
        catalog.enter_by_provider("https://id", "1", "ann", "admin").unwrap();
        assert!(catalog.remove_user("root").is_err(), "the provider may be away");
        assert!(catalog.change_user("root", Some("viewer"), None).is_err());
        assert!(catalog.change_user("ann", None, Some("hash")).is_err());
        assert!(catalog.change_user("ann", Some("viewer"), None).is_err());
    }
}
