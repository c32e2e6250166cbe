//! ID tokens: whether a provider's key has signed them, and for whom, for what and until when they
//! were made. Pure.
//!
//! In: the token's text, the provider's keys, what is expected. Out: its claims, or why not. Takes
//! signatures by public keys only: with a shared secret, or without a signature, anybody who knows
//! that secret, or nobody in particular, could have made it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, EcdsaVerificationAlgorithm,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use serde_json::Value as Json;

/// By how much the clocks of the provider and of this machine may differ, seconds.
const CLOCKS_DIFFER_MAX: i64 = 60;
/// The longest token, bytes.
const TOKEN_BYTES_MAX: usize = 64 * 1024;
/// The first byte of a point on a curve that is written in full.
const POINT_IN_FULL: u8 = 4;

/// A provider's keys.
#[derive(Debug, Deserialize)]
pub struct Keys {
    keys: Vec<Json>,
}

/// A public key as providers publish it; of what else they publish nothing is known here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Key {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Head {
    alg: String,
    kid: Option<String>,
    crit: Option<Json>,
}

/// What a token has to say to be taken.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// Who must have made it.
    pub issuer: &'a str,
    /// For whom.
    pub client_id: &'a str,
    /// For which sign-in.
    pub nonce: &'a str,
    /// Seconds since 1970.
    pub now: i64,
}

enum Kind {
    Rsa(&'static RsaParameters),
    Curve(&'static EcdsaVerificationAlgorithm, &'static str),
    Edwards,
}

fn kind(alg: &str) -> Option<Kind> {
    Some(match alg {
        "RS256" => Kind::Rsa(&RSA_PKCS1_2048_8192_SHA256),
        "RS384" => Kind::Rsa(&RSA_PKCS1_2048_8192_SHA384),
        "RS512" => Kind::Rsa(&RSA_PKCS1_2048_8192_SHA512),
        "PS256" => Kind::Rsa(&RSA_PSS_2048_8192_SHA256),
        "PS384" => Kind::Rsa(&RSA_PSS_2048_8192_SHA384),
        "PS512" => Kind::Rsa(&RSA_PSS_2048_8192_SHA512),
        "ES256" => Kind::Curve(&ECDSA_P256_SHA256_FIXED, "P-256"),
        "ES384" => Kind::Curve(&ECDSA_P384_SHA384_FIXED, "P-384"),
        "EdDSA" => Kind::Edwards,
        _ => return None,
    })
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

impl Key {
    /// Whether it may have signed what says this of itself.
    fn suits(&self, head: &Head) -> bool {
        self.usage.as_deref().is_none_or(|usage| usage == "sig")
            && self.alg.as_ref().is_none_or(|alg| *alg == head.alg)
            && (head.kid.is_none() || self.kid.is_none() || self.kid == head.kid)
    }

    fn has_signed(&self, kind: &Kind, message: &[u8], signature: &[u8]) -> Option<bool> {
        let part = |part: &Option<String>| bytes(part.as_deref()?);
        Some(match kind {
            Kind::Rsa(parameters) if self.kty == "RSA" => {
                let key = RsaPublicKeyComponents { n: part(&self.n)?, e: part(&self.e)? };
                key.verify(parameters, message, signature).is_ok()
            }
            Kind::Curve(algorithm, name)
                if self.kty == "EC" && self.crv.as_deref() == Some(name) =>
            {
                let point = [vec![POINT_IN_FULL], part(&self.x)?, part(&self.y)?].concat();
                UnparsedPublicKey::new(*algorithm, point).verify(message, signature).is_ok()
            }
            Kind::Edwards if self.kty == "OKP" && self.crv.as_deref() == Some("Ed25519") => {
                UnparsedPublicKey::new(&ED25519, part(&self.x)?).verify(message, signature).is_ok()
            }
            _ => false,
        })
    }
}

/// The claims of a token that is what it has to be.
///
/// # Errors
/// Why it is not taken, for the log.
pub fn claims(token: &str, keys: &Keys, expected: &Expected<'_>) -> Result<Json, String> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(format!("the ID token has over {TOKEN_BYTES_MAX} bytes"));
    }
    let torn = || "the ID token is none".to_owned();
    let (signed, signature) = token.rsplit_once('.').ok_or_else(torn)?;
    let (head, body) = signed.split_once('.').ok_or_else(torn)?;
    let read = |part: &str| bytes(part).ok_or_else(torn);
    let head: Head = serde_json::from_slice(&read(head)?).map_err(|_| torn())?;
    let kind = kind(&head.alg).filter(|_| head.crit.is_none()).ok_or_else(|| {
        let alg: String = head.alg.chars().take(20).collect();
        format!("the ID token is signed by {alg:?}, which is not taken")
    })?;
    let signature = read(signature)?;
    let good = keys
        .keys
        .iter()
        // A provider may have keys of kinds that nobody here has heard of.
        .filter_map(|key| Key::deserialize(key).ok())
        .filter(|key| key.suits(&head))
        .any(|key| key.has_signed(&kind, signed.as_bytes(), &signature) == Some(true));
    if !good {
        return Err("no key of the provider has signed the ID token".to_owned());
    }
    let claims: Json = serde_json::from_slice(&read(body)?).map_err(|_| torn())?;
    check(&claims, expected)?;
    Ok(claims)
}

fn check(claims: &Json, expected: &Expected<'_>) -> Result<(), String> {
    let text = |name: &str| claims[name].as_str();
    let told = |what: &str| Err(format!("the ID token {what}"));
    if text("iss") != Some(expected.issuer) {
        return told("is from another issuer");
    }
    let audience: Vec<&str> = match &claims["aud"] {
        Json::String(one) => vec![one],
        Json::Array(many) => many.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    };
    if !audience.contains(&expected.client_id) {
        return told("is for somebody else");
    }
    let party = text("azp");
    if party.map_or(audience.len() > 1, |party| party != expected.client_id) {
        return told("is for several, and was not asked for from here");
    }
    if text("nonce") != Some(expected.nonce) {
        return told("is of another sign-in: its nonce is not ours");
    }
    let second = |name: &str| claims[name].as_f64().map(|time| time as i64);
    let (Some(ends), Some(made)) = (second("exp"), second("iat")) else {
        return told("does not say when it ends or was made");
    };
    if ends.saturating_add(CLOCKS_DIFFER_MAX) <= expected.now {
        return told("has expired; are the clocks right?");
    }
    let latest = expected.now + CLOCKS_DIFFER_MAX;
    if made > latest || second("nbf").is_some_and(|begins| begins > latest) {
        return told("is from the future; are the clocks right?");
    }
    if text("sub").is_none_or(str::is_empty) {
        return told("does not say who it is about");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_790_000_000;

    fn encoded(bytes: impl AsRef<[u8]>) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// A way to sign, and the key that providers would publish of it.
    struct Signer {
        alg: &'static str,
        key: Json,
        sign: Box<dyn Fn(&[u8]) -> Vec<u8>>,
    }

    impl Signer {
        fn token(&self, head: Json, claims: &Json) -> String {
            let mut head = head;
            head["alg"] = head.get("alg").cloned().unwrap_or_else(|| json!(self.alg));
            let signed = format!("{}.{}", encoded(head.to_string()), encoded(claims.to_string()));
            let signature = (self.sign)(signed.as_bytes());
            format!("{signed}.{}", encoded(signature))
        }
    }

    fn edwards() -> Signer {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let key = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "a",
            "x": encoded(pair.public_key().as_ref()) });
        Signer {
            alg: "EdDSA",
            key,
            sign: Box::new(move |message| pair.sign(message).as_ref().to_vec()),
        }
    }

    fn curve() -> Signer {
        let random = SystemRandom::new();
        let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(kind, document.as_ref(), &random).unwrap();
        let point = &pair.public_key().as_ref()[1..];
        let key = json!({ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256",
            "x": encoded(&point[..32]), "y": encoded(&point[32..]) });
        Signer {
            alg: "ES256",
            key,
            sign: Box::new(move |message| pair.sign(&random, message).unwrap().as_ref().to_vec()),
        }
    }

    fn keys(of: &[&Signer]) -> Keys {
        // One of a kind that is not known, as providers may have.
        let mut keys = vec![json!({ "kty": "XYZ", "kid": 5 }), json!(1)];
        keys.extend(of.iter().map(|signer| signer.key.clone()));
        Keys { keys }
    }

    fn good() -> Json {
        json!({ "iss": "https://id.example.org", "aud": "tocsin", "sub": "1", "nonce": "n",
            "iat": NOW - 5, "exp": NOW + 300 })
    }

    const EXPECTED: Expected<'_> =
        Expected { issuer: "https://id.example.org", client_id: "tocsin", nonce: "n", now: NOW };

    #[test]
    fn tokens_of_each_kind_of_key_are_taken() {
        for signer in [edwards(), curve()] {
            let token = signer.token(json!({}), &good());
            assert_eq!(claims(&token, &keys(&[&signer]), &EXPECTED), Ok(good()), "{}", signer.alg);
        }
        // RFC 7515, appendix A.2: the only one of these whose private key needs no generator.
        let rsa = json!({ "kty": "RSA", "e": "AQAB", "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ" });
        let token = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
        let why = claims(token, &Keys { keys: vec![rsa] }, &EXPECTED).unwrap_err();
        assert_eq!(why, "the ID token is from another issuer", "its signature is good");
    }

    #[test]
    fn what_nobody_we_trust_has_signed_is_not_taken() {
        let (mine, other) = (edwards(), curve());
        let keys = keys(&[&mine]);
        let why = |token: &str| claims(token, &keys, &EXPECTED).unwrap_err();
        let unsigned = "no key of the provider has signed the ID token";
        assert_eq!(why(&other.token(json!({}), &good())), unsigned);
        assert_eq!(why(&mine.token(json!({ "kid": "b" }), &good())), unsigned, "another key");
        assert_eq!(why(&mine.token(json!({ "alg": "ES256" }), &good())), unsigned);
        for alg in ["none", "HS256", "eddsa", ""] {
            let told = format!("the ID token is signed by {alg:?}, which is not taken");
            assert_eq!(why(&mine.token(json!({ "alg": alg }), &good())), told);
        }
        assert!(why(&mine.token(json!({ "crit": ["exp"] }), &good())).contains("not taken"));
        let token = mine.token(json!({}), &good());
        let (signed, _) = token.rsplit_once('.').unwrap();
        assert_eq!(why(&format!("{signed}.")), unsigned);
        let (head, rest) = token.split_once('.').unwrap();
        let other_body = encoded(json!({ "sub": "2" }).to_string());
        let signature = rest.split_once('.').unwrap().1;
        assert_eq!(why(&format!("{head}.{other_body}.{signature}")), unsigned);
        for torn in ["", "a", "a.b", "..", "a.b.c", &"x".repeat(TOKEN_BYTES_MAX + 1)] {
            assert!(!why(torn).is_empty());
        }
    }

    #[test]
    fn tokens_for_others_or_of_other_times_are_not_taken() {
        let signer = edwards();
        let keys = keys(&[&signer]);
        let table: [(&str, Json, &str); 14] = [
            ("iss", json!("https://id.example.org/"), "is from another issuer"),
            ("aud", json!("grafana"), "is for somebody else"),
            ("aud", json!(null), "is for somebody else"),
            (
                "aud",
                json!(["tocsin", "grafana"]),
                "is for several, and was not asked for from here",
            ),
            ("azp", json!("grafana"), "is for several, and was not asked for from here"),
            ("nonce", json!("m"), "is of another sign-in: its nonce is not ours"),
            ("nonce", json!(null), "is of another sign-in: its nonce is not ours"),
            ("exp", json!(NOW - 60), "has expired; are the clocks right?"),
            ("exp", json!("soon"), "does not say when it ends or was made"),
            ("iat", json!(null), "does not say when it ends or was made"),
            ("iat", json!(NOW + 61), "is from the future; are the clocks right?"),
            ("nbf", json!(NOW + 61), "is from the future; are the clocks right?"),
            ("sub", json!(""), "does not say who it is about"),
            ("sub", json!(7), "does not say who it is about"),
        ];
        for (name, value, expected) in table {
            let mut changed = good();
            changed[name] = value.clone();
            let token = signer.token(json!({ "kid": "a" }), &changed);
            let why = claims(&token, &keys, &EXPECTED).unwrap_err();
            assert_eq!(why, format!("the ID token {expected}"), "{name}: {value}");
        }
        let mut several = good();
        several["aud"] = json!(["tocsin", "grafana"]);
        several["azp"] = json!("tocsin");
        several["exp"] = json!(NOW - 59);
        let token = signer.token(json!({}), &several);
        assert!(claims(&token, &keys, &EXPECTED).is_ok(), "clocks differ a little");
    }
}
