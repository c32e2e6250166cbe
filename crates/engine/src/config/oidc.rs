//! Sign-in by a provider of identities (OpenID Connect).
//!
//! In: the section `server.oidc`. Out: the same, and what is wrong with it. Never opens a file and
//! never asks the provider.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The scope without which a provider says nothing of who somebody is.
const OPENID: &str = "openid";

/// Sign-in by a provider of identities, beside accounts with passwords.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OidcConfig {
    /// Address of the provider, as it names itself: `<issuer>/.well-known/openid-configuration`
    /// must answer. Default none: nobody signs in this way.
    pub issuer: Option<String>,
    /// What Tocsin is called at the provider. Default none.
    pub client_id: String,
    /// File with the secret the provider gave for that. Default none: a public client.
    pub client_secret_file: Option<PathBuf>,
    /// What is asked for; openid is always. Default openid, profile, email.
    pub scopes: Vec<String>,
    /// What the button on the page says after "Sign in with". Default "single sign-on".
    pub label: String,
    /// The claim that becomes the name of the account. Default preferred_username.
    pub name_claim: String,
    /// The claim with somebody's groups, from the ID token or the userinfo; `a.b` looks inside.
    /// Default groups.
    pub groups_claim: String,
    /// Groups by the role they give; the highest counts.
    pub roles: OidcRoles,
    /// Role of those without such a group: viewer, analyst or admin. Default none: they cannot
    /// sign in.
    pub default_role: Option<OidcRole>,
    /// PEM file of further certificate authorities for the provider. Default none.
    pub ca_file: Option<PathBuf>,
}

/// Groups by the role they give.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OidcRoles {
    /// Groups of administrators. Default none.
    pub admin: Vec<String>,
    /// Groups of analysts. Default none.
    pub analyst: Vec<String>,
    /// Groups of viewers. Default none.
    pub viewer: Vec<String>,
}

/// A role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OidcRole {
    /// Looks.
    Viewer,
    /// Works on alerts.
    Analyst,
    /// Does everything.
    Admin,
}

impl Default for OidcConfig {
    fn default() -> Self {
        Self {
            issuer: None,
            client_id: String::new(),
            client_secret_file: None,
            scopes: [OPENID, "profile", "email"].map(str::to_owned).to_vec(),
            label: "single sign-on".to_owned(),
            name_claim: "preferred_username".to_owned(),
            groups_claim: "groups".to_owned(),
            roles: OidcRoles::default(),
            default_role: None,
            ca_file: None,
        }
    }
}

impl OidcConfig {
    /// What is asked for, `openid` first.
    pub fn scope(&self) -> String {
        let mut scopes = vec![OPENID];
        scopes.extend(self.scopes.iter().map(String::as_str).filter(|scope| *scope != OPENID));
        scopes.join(" ")
    }

    /// The role of somebody in these groups.
    pub fn role(&self, groups: &[String]) -> Option<OidcRole> {
        let is_in = |wanted: &[String]| groups.iter().any(|group| wanted.contains(group));
        [
            (&self.roles.admin, OidcRole::Admin),
            (&self.roles.analyst, OidcRole::Analyst),
            (&self.roles.viewer, OidcRole::Viewer),
        ]
        .into_iter()
        .find(|(wanted, _)| is_in(wanted))
        .map(|(_, role)| role)
        .or(self.default_role)
    }

    /// What is wrong, by key.
    pub(crate) fn faults(&self) -> Vec<(&'static str, String)> {
        let Some(issuer) = &self.issuer else { return Vec::new() };
        let mut faults = Vec::new();
        match issuer.parse::<reqwest::Url>() {
            Err(error) => faults.push(("issuer", format!("{issuer:?} is not an address: {error}"))),
            Ok(url) if !is_safe(&url) => {
                let message = "must begin with https://; http:// only for this machine";
                faults.push(("issuer", message.to_owned()));
            }
            Ok(url) if url.query().is_some() || url.fragment().is_some() => {
                faults.push(("issuer", "must be without ? and #".to_owned()));
            }
            Ok(_) => {}
        }
        if self.client_id.is_empty() {
            let message = "is missing: the name that the provider gave to Tocsin";
            faults.push(("client_id", message.to_owned()));
        }
        let roles = [&self.roles.admin, &self.roles.analyst, &self.roles.viewer];
        if self.default_role.is_none() && roles.iter().all(|groups| groups.is_empty()) {
            let message = "nobody could sign in: name groups in roles, or a default_role";
            faults.push(("roles", message.to_owned()));
        }
        if self.label.trim().is_empty() {
            faults.push(("label", "must say something".to_owned()));
        }
        faults
    }
}

/// Whether what goes there is seen by nobody else.
fn is_safe(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or("").trim_matches(['[', ']']);
    let loopback = host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    url.scheme() == "https" || (url.scheme() == "http" && loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_role_counts_and_nobody_gets_one_for_nothing() {
        let mut config = OidcConfig::default();
        config.roles.admin = vec!["ops".to_owned()];
        config.roles.viewer = vec!["all".to_owned()];
        let role = |config: &OidcConfig, groups: &[&str]| {
            config.role(&groups.iter().map(|group| (*group).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(role(&config, &["all", "ops"]), Some(OidcRole::Admin));
        assert_eq!(role(&config, &["all"]), Some(OidcRole::Viewer));
        assert_eq!(role(&config, &["OPS", ""]), None);
        config.default_role = Some(OidcRole::Analyst);
        assert_eq!(role(&config, &[]), Some(OidcRole::Analyst));
    }

    #[test]
    fn what_cannot_work_is_told() {
        let good = OidcConfig {
            issuer: Some("https://id.example.org/realms/a".to_owned()),
            client_id: "tocsin".to_owned(),
            default_role: Some(OidcRole::Viewer),
            ..OidcConfig::default()
        };
        assert!(good.faults().is_empty());
        let table: [(&str, fn(&mut OidcConfig)); 6] = [
            ("issuer", |c| c.issuer = Some("id.example.org".to_owned())),
            ("issuer", |c| c.issuer = Some("http://id.example.org".to_owned())),
            ("issuer", |c| c.issuer = Some("https://id.example.org/?a=b".to_owned())),
            ("client_id", |c| c.client_id.clear()),
            ("roles", |c| c.default_role = None),
            ("label", |c| c.label.clear()),
        ];
        for (key, change) in table {
            let mut config = good.clone();
            change(&mut config);
            let keys: Vec<_> = config.faults().into_iter().map(|(key, _)| key).collect();
            assert_eq!(keys, [key]);
        }
        let mut local = good;
        local.issuer = Some("http://127.0.0.1:4444".to_owned());
        assert!(local.faults().is_empty());
    }
}
