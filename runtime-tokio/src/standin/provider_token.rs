//! Who pushes: the check of the signed statement in `authorization`. Source: `ntf-protocol` 3.6.

use std::collections::VecDeque;

use base64ct::{Base64UrlUnpadded, Encoding};
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use serde_json::Value;

use crate::standin::check::Refusal;

/// Age at which a provider token has expired, in seconds. Source: Apple, one hour.
const AGE_SECS_MAX: u64 = 3600;

/// How far a provider's clock may be ahead, in seconds. Source: ours.
const AHEAD_SECS_MAX: u64 = 60;

/// Tokens remembered as checked, so that each signature is verified once.
const REMEMBERED_MAX: usize = 8;

/// The one key the stand-in knows.
pub(super) struct Verifier {
    key: VerifyingKey,
    key_id: String,
    team_id: String,
    passed: VecDeque<Passed>,
    passed_count: u64,
}

struct Passed {
    token: String,
    issued_at: u64,
}

impl Verifier {
    /// `None` when the bytes are no point on P-256.
    pub(super) fn new(key_point: &[u8], key_id: &str, team_id: &str) -> Option<Self> {
        let key = VerifyingKey::from_sec1_bytes(key_point).ok()?;
        let (key_id, team_id) = (key_id.to_owned(), team_id.to_owned());
        Some(Self { key, key_id, team_id, passed: VecDeque::new(), passed_count: 0 })
    }

    /// Distinct tokens that passed.
    pub(super) const fn tokens_passed(&self) -> u64 {
        self.passed_count
    }

    /// Checks the value of `authorization` at this Unix time.
    pub(super) fn check(&mut self, authorization: Option<&str>, at_secs: u64) -> Result<(), Refusal> {
        let authorization = authorization.ok_or(Refusal::new(403, "MissingProviderToken"))?;
        let token = authorization
            .split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token)
            .ok_or(Refusal::new(403, "MissingProviderToken"))?;
        let issued_at = match self.passed.iter().find(|passed| passed.token == token) {
            Some(passed) => passed.issued_at,
            None => {
                let issued_at = self.read(token).ok_or(Refusal::new(403, "InvalidProviderToken"))?;
                self.passed_count += 1;
                if self.passed.len() >= REMEMBERED_MAX {
                    self.passed.pop_front();
                }
                self.passed.push_back(Passed { token: token.to_owned(), issued_at });
                issued_at
            }
        };
        if issued_at > at_secs.saturating_add(AHEAD_SECS_MAX) {
            return Err(Refusal::new(403, "InvalidProviderToken"));
        }
        if at_secs.saturating_sub(issued_at) > AGE_SECS_MAX {
            return Err(Refusal::new(403, "ExpiredProviderToken"));
        }
        Ok(())
    }

    /// When a token was issued, if it is one of this key and team.
    fn read(&self, token: &str) -> Option<u64> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header = json(header)?;
        let is_ours = header.get("alg")?.as_str()? == "ES256" && header.get("kid")?.as_str()? == self.key_id;
        let claims = json(claims)?;
        if !is_ours || claims.get("iss")?.as_str()? != self.team_id {
            return None;
        }
        let signature = Base64UrlUnpadded::decode_vec(signature).ok()?;
        // The standard's r‖s, or the DER that the reference sends and Apple evidently takes.
        let signature =
            Signature::from_slice(&signature).or_else(|_| Signature::from_der(&signature)).ok()?;
        self.key.verify(signed.as_bytes(), &signature).ok()?;
        claims.get("iat")?.as_u64()
    }
}

fn json(part: &str) -> Option<Value> {
    serde_json::from_slice(&Base64UrlUnpadded::decode_vec(part).ok()?).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::standin::make_provider_key;
    use ntf_core::crypto::es256::Es256Key;

    const AT: u64 = 1_764_000_000;

    struct Signer {
        key: Es256Key,
    }

    impl Signer {
        fn new() -> Self {
            Self { key: Es256Key::from_pkcs8_pem(&make_provider_key().unwrap()).unwrap() }
        }

        fn verifier(&self) -> Verifier {
            Verifier::new(&self.key.public_point(), "KEY1", "TEAM1").unwrap()
        }

        fn token(&self, header: &str, claims: &str) -> String {
            let signed = self.unsigned(header, claims);
            let signature = self.key.sign(signed.as_bytes());
            format!("{signed}.{}", Base64UrlUnpadded::encode_string(&signature))
        }

        fn unsigned(&self, header: &str, claims: &str) -> String {
            let header = Base64UrlUnpadded::encode_string(header.as_bytes());
            format!("{header}.{}", Base64UrlUnpadded::encode_string(claims.as_bytes()))
        }
    }

    #[test]
    fn each_way_to_be_wrong_has_its_reason() {
        let signer = Signer::new();
        let header = r#"{"alg":"ES256","kid":"KEY1"}"#;
        let claims = |iat: u64| format!(r#"{{"iss":"TEAM1","iat":{iat}}}"#);
        let good = signer.token(header, &claims(AT));
        let der = {
            let signed = signer.unsigned(header, &claims(AT));
            let signature = Signature::from_slice(&signer.key.sign(signed.as_bytes())).unwrap();
            format!("{signed}.{}", Base64UrlUnpadded::encode_string(signature.to_der().as_bytes()))
        };
        let cases = [
            (format!("bearer {good}"), Ok(())),
            (format!("Bearer {good}"), Ok(())),
            (format!("bearer {der}"), Ok(())),
            (format!("bearer {}", signer.token(header, &claims(AT - 3600))), Ok(())),
            (format!("bearer {}", signer.token(header, &claims(AT + 60))), Ok(())),
            (format!("bearer {}", signer.token(header, &claims(AT - 3601))), Err("ExpiredProviderToken")),
            (format!("bearer {}", signer.token(header, &claims(AT + 61))), Err("InvalidProviderToken")),
            (format!("basic {good}"), Err("MissingProviderToken")),
            (good.clone(), Err("MissingProviderToken")),
            ("bearer a.b".to_owned(), Err("InvalidProviderToken")),
            (format!("bearer {}", &good[..good.len() - 4]), Err("InvalidProviderToken")),
            (
                format!("bearer {}", signer.token(r#"{"alg":"ES256","kid":"KEY2"}"#, &claims(AT))),
                Err("InvalidProviderToken"),
            ),
            (
                format!("bearer {}", signer.token(r#"{"alg":"HS256","kid":"KEY1"}"#, &claims(AT))),
                Err("InvalidProviderToken"),
            ),
            (
                format!("bearer {}", signer.token(header, &format!(r#"{{"iss":"TEAM2","iat":{AT}}}"#))),
                Err("InvalidProviderToken"),
            ),
            (format!("bearer {}", Signer::new().token(header, &claims(AT))), Err("InvalidProviderToken")),
        ];
        let mut verifier = signer.verifier();
        for (authorization, expected) in cases {
            let found = verifier.check(Some(&authorization), AT).map_err(|refusal| refusal.reason);
            assert_eq!(found, expected, "{authorization}");
        }
        assert_eq!(verifier.check(None, AT).map_err(|refusal| refusal.reason), Err("MissingProviderToken"));
    }

    #[test]
    fn a_token_that_was_checked_still_grows_old() {
        let signer = Signer::new();
        let token =
            signer.token(r#"{"alg":"ES256","kid":"KEY1"}"#, &format!(r#"{{"iss":"TEAM1","iat":{AT}}}"#));
        let authorization = format!("bearer {token}");
        let mut verifier = signer.verifier();
        assert_eq!(verifier.check(Some(&authorization), AT), Ok(()));
        assert_eq!(verifier.check(Some(&authorization), AT + 3600), Ok(()));
        let late = verifier.check(Some(&authorization), AT + 3601);
        assert_eq!(late.map_err(|refusal| refusal.reason), Err("ExpiredProviderToken"));
        assert_eq!(verifier.tokens_passed(), 1);
    }
}
