//! Random secrets, and hashes of secrets and passwords. Pure but for the system's randomness.

use argon2::password_hash::{PasswordHash, SaltString};
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use sha2::{Digest, Sha256};

use crate::error::ApiError;

/// Bytes of a secret: 256 bits.
const SECRET_BYTES: usize = 32;
/// Bytes of a password's salt.
const SALT_BYTES: usize = 16;
/// The shortest password, letters.
pub const PASSWORD_CHARS_MIN: usize = 12;
/// The longest password, bytes.
pub const PASSWORD_BYTES_MAX: usize = 1024;
/// Of nobody's password, so that an unknown name takes as long as a wrong password.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$bJ6dG8Yd3lrrXu5V1JbTq3q0o6oJtQm4d8bqQ3wBv6Y";

fn fill(bytes: &mut [u8]) -> Result<(), ApiError> {
    getrandom::fill(bytes).map_err(|error| ApiError::busy(format!("no random numbers: {error}")))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A secret that nobody can guess, as text.
pub fn random() -> Result<String, ApiError> {
    let mut bytes = [0; SECRET_BYTES];
    fill(&mut bytes)?;
    Ok(hex(&bytes))
}

/// What is kept of a secret. It is random, so a fast hash is enough.
pub fn hash(secret: &str) -> String {
    hex(&Sha256::digest(secret.as_bytes()))
}

/// Whether a password may be one.
pub fn check_password(password: &str) -> Result<(), ApiError> {
    if password.chars().count() < PASSWORD_CHARS_MIN || password.len() > PASSWORD_BYTES_MAX {
        return Err(ApiError::bad_request(format!(
            "a password has at least {PASSWORD_CHARS_MIN} letters and at most {PASSWORD_BYTES_MAX} bytes"
        )));
    }
    Ok(())
}

/// What is kept of a password (argon2id). Slow on purpose.
pub fn password_hash(password: &str) -> Result<String, ApiError> {
    let mut salt = [0; SALT_BYTES];
    fill(&mut salt)?;
    let failed = |error| ApiError::busy(format!("the password cannot be hashed: {error}"));
    let salt = SaltString::encode_b64(&salt).map_err(failed)?;
    let hash = Argon2::default().hash_password(password.as_bytes(), &salt).map_err(failed)?;
    Ok(hash.to_string())
}

/// Whether a password is that of a hash; without a hash it takes as long and is not.
pub fn password_fits(password: &str, hash: Option<&str>) -> bool {
    if password.len() > PASSWORD_BYTES_MAX {
        return false;
    }
    let Ok(parsed) = PasswordHash::new(hash.unwrap_or(NOBODY)) else { return false };
    Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok() && hash.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_fit_their_hash_only() {
        let hash = password_hash("correct horse battery").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(password_fits("correct horse battery", Some(&hash)));
        assert!(!password_fits("correct horse batterz", Some(&hash)));
        assert!(!password_fits("correct horse battery", None));
        assert!(!password_fits("x", Some("no hash")));
        assert_ne!(hash, password_hash("correct horse battery").unwrap(), "salted");
        assert!(PasswordHash::new(NOBODY).is_ok(), "it must take as long as a real one");
    }

    #[test]
    fn secrets_differ() {
        let (one, two) = (random().unwrap(), random().unwrap());
        assert_eq!(one.len(), 2 * SECRET_BYTES);
        assert_ne!(one, two);
        assert_ne!(hash(&one), hash(&two));
    }
}
