//! The provider token: a signed statement of who we are, made once and used for every push.
//!
//! Apple answers 429 to providers that sign too often, so the token lives outside connections and is
//! replaced by age. Source: `ntf-protocol` 3.6, 7.2 (D12, D13, D14).
//!
//! A token is dated at the last full multiple of its age since 1970, and a signature says nothing but what is signed
//! (RFC 6979). So all who push with one key, such as the shards of a server, have the same token at the same time
//! without a word to each other, and a server that starts over and over shows one token and not a new one each time.
//! One that a provider called expired is followed by one of the current five minutes, from which ages are counted on: all
//! who are refused within these have the same one again.

use alloc::string::String;
use core::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding};
use zeroize::Zeroizing;

use crate::base::time::{Mono, Now};
use crate::crypto::es256::Es256Key;
use crate::push::json::push_escaped;

/// Shortest time between two signatures that a provider asked for by `ExpiredProviderToken`.
///
/// A provider whose clock disagrees with ours calls every token expired; signing anew for each push
/// would earn a 429 on top. Source: Apple allows one token per 20 minutes.
pub const FORCED_INTERVAL_MIN: Duration = Duration::from_secs(20 * 60);

/// How far our clock may have been set back since the signature before the token counts as made in
/// the future. Source: ours; a step of a time service is well below.
const SET_BACK_SECS_MAX: i64 = 60;

/// To what a forced date is rounded down. Source: ours; whoever pushes at all is refused within this time.
const FORCED_GRID_SECS: i64 = 5 * 60;

/// Names one signature; later ones have greater numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Generation(u64);

/// The signer and its latest token.
pub(super) struct Jwt {
    key: Es256Key,
    header: String,
    team_id: String,
    age_max: Duration,
    generation: Generation,
    latest: Option<Signed>,
    forced_at: Option<Mono>,
    /// Tokens are dated a multiple of their age from this time, in Unix seconds.
    origin: i64,
}

struct Signed {
    text: Zeroizing<String>,
    issued_at: i64,
}

impl Jwt {
    pub(super) fn new(key: Es256Key, key_id: &str, team_id: &str, age_max: Duration) -> Self {
        let mut header = String::from(r#"{"alg":"ES256","kid":""#);
        push_escaped(&mut header, key_id);
        header.push_str(r#""}"#);
        Self {
            key,
            header: Base64UrlUnpadded::encode_string(header.as_bytes()),
            team_id: team_id.into(),
            age_max,
            generation: Generation(0),
            latest: None,
            forced_at: None,
            origin: 0,
        }
    }

    /// The token to send at this time, signed anew when there is none, or when it is too old or dated
    /// in the future.
    pub(super) fn text(&mut self, now: Now) -> (&str, Generation) {
        let at = now.wall.unix_secs();
        let age_max = i64::try_from(self.age_max.as_secs()).unwrap_or(i64::MAX);
        let latest = self.latest.take().filter(|signed| {
            let age = at.saturating_sub(signed.issued_at);
            age < age_max && age >= -SET_BACK_SECS_MAX
        });
        let latest = match latest {
            Some(signed) => signed,
            None => {
                self.generation = Generation(self.generation.0.saturating_add(1));
                let issued_at = at - (at - self.origin).rem_euclid(age_max.max(1));
                Signed { text: self.sign(issued_at), issued_at }
            }
        };
        (&self.latest.insert(latest).text, self.generation)
    }

    /// The provider called a token of this generation expired. Whether another attempt makes sense: a
    /// newer token exists, or one may be signed.
    pub(super) fn renew(&mut self, now: Now, refused: Generation) -> Renewal {
        if self.generation > refused {
            return Renewal::Newer;
        }
        let is_too_soon = self.forced_at.is_some_and(|at| now.mono.since(at) < FORCED_INTERVAL_MIN);
        if is_too_soon {
            return Renewal::TooSoon;
        }
        self.forced_at = Some(now.mono);
        let refused = self.latest.take().map(|signed| signed.issued_at);
        let at = now.wall.unix_secs();
        let date = at - at.rem_euclid(FORCED_GRID_SECS);
        // Of one date it would be the very token that was refused.
        self.origin = date - i64::from(refused == Some(date));
        Renewal::Newer
    }

    /// Signatures made so far.
    pub(super) const fn signatures(&self) -> u64 {
        self.generation.0
    }

    fn sign(&self, issued_at: i64) -> Zeroizing<String> {
        let mut claims = String::from(r#"{"iss":""#);
        push_escaped(&mut claims, &self.team_id);
        claims.push_str(r#"","iat":"#);
        claims.push_str(&alloc::format!("{issued_at}"));
        claims.push('}');
        let claims = Base64UrlUnpadded::encode_string(claims.as_bytes());
        let mut text = Zeroizing::new(String::with_capacity(self.header.len() + claims.len() + 88));
        text.push_str(&self.header);
        text.push('.');
        text.push_str(&claims);
        let signature = self.key.sign(text.as_bytes());
        text.push('.');
        text.push_str(&Base64UrlUnpadded::encode_string(&signature));
        text
    }
}

/// What [`Jwt::renew`] decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Renewal {
    /// The next [`Jwt::text`] is a newer token than the refused one.
    Newer,
    /// A new signature was forced less than [`FORCED_INTERVAL_MIN`] ago and did not help.
    TooSoon,
}
