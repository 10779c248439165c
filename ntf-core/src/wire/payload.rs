//! What travels encrypted: notices inside a push, metadata inside NMSG, messages inside MSG.
//!
//! ```text
//! notices  = entry *(";" entry), oldest first
//! entry    = notifier address SP decimal Unix seconds SP base64url nonce SP base64url metadata
//! metadata = short(message id) Int64 seconds [anything]                      padded to 128 bytes
//! body     = Int64 seconds || flags || SP || tail(message) | "QUOTA" SP Int64 seconds      padded to 16106
//! ```
//!
//! Encryption and padding are the caller's. Source: `ntf-protocol` 3.4, `smp-transport` 5.5 and 6.1.

use alloc::vec::Vec;
use core::fmt::{self, Write as _};

use crate::base::fault::PeerFault;
use crate::model::notification::Notice;
use crate::model::server::{NotifierAddress, NotifierRef};
use crate::wire::cursor::{Reader, Writer, utf8};
use crate::wire::text::sink::{Length, Sink};
use crate::wire::text::{address, base64, preset};

/// Bytes to which the metadata of NMSG are padded. Source: `smp-transport` 6.1.
pub const NMSG_META_PADDED_LEN: usize = 128;

/// Bytes to which the body of MSG is padded, in every version. Source: `smp-transport` 5.5.
pub const MSG_BODY_PADDED_LEN: usize = 16106;

/// Appends the text of notices, oldest first.
pub fn encode_notices<'n, N: Into<NotifierRef<'n>>>(
    notices: impl IntoIterator<Item = (N, &'n Notice)>,
    out: &mut Vec<u8>,
) {
    for (number, (notifier, notice)) in notices.into_iter().enumerate() {
        if number > 0 {
            out.push(b';');
        }
        encode_notice(notifier.into(), notice, out);
    }
}

/// Bytes of one notice in [`encode_notices`], without a separator.
#[must_use]
pub fn notice_len<'n>(notifier: impl Into<NotifierRef<'n>>, notice: &Notice) -> usize {
    let mut length = Length::default();
    encode_notice(notifier.into(), notice, &mut length);
    length.0
}

fn encode_notice(notifier: NotifierRef<'_>, notice: &Notice, out: &mut impl Sink) {
    address::write_queue(notifier.server, notifier.notifier, out);
    out.str(" ");
    // As long as the longest number is, so nothing is cut.
    let mut received_at = heapless::String::<20>::new();
    let _ = write!(received_at, "{}", notice.received_at);
    out.str(&received_at);
    out.str(" ");
    out.base64(&notice.nonce);
    out.str(" ");
    out.base64(&notice.meta);
}

/// Reads the text of notices, and gives preset servers named by one host their onion hosts.
///
/// # Errors
///
/// The first field that is not as it should be; there is no lawful text without a notice.
pub fn decode_notices(bytes: &[u8]) -> Result<Vec<(NotifierAddress, Notice)>, PeerFault> {
    utf8(bytes, "notices")?.split(';').map(decode_notice).collect()
}

fn decode_notice(entry: &str) -> Result<(NotifierAddress, Notice), PeerFault> {
    let mut fields = entry.split(' ');
    let mut next = |field| fields.next().ok_or(PeerFault::Truncated { field });
    let malformed = |field| PeerFault::Malformed { field };
    let mut notifier =
        address::parse_notifier(next("notifier address")?).map_err(|_| malformed("notifier address"))?;
    preset::add_onion(&mut notifier.server);
    let received_at = next("notice time")?.parse().map_err(|_| malformed("notice time"))?;
    let nonce = base64::decode_array(next("notice nonce")?).ok_or(malformed("notice nonce"))?;
    let meta = base64::decode(next("notice metadata")?).ok_or(malformed("notice metadata"))?;
    match fields.next() {
        None => Ok((notifier, Notice { received_at, nonce, meta: meta.into() })),
        Some(_) => Err(PeerFault::TrailingBytes { field: "notice" }),
    }
}

/// The metadata of NMSG: which message came, and when. Prints neither.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct NmsgMeta<'a> {
    /// The id under which MSG will deliver the message.
    pub message: &'a [u8],
    /// Unix seconds at which the server received it.
    pub sent_at: i64,
}

impl<'a> NmsgMeta<'a> {
    /// Reads opened and unpadded metadata; bytes after the known fields are left to the future.
    ///
    /// # Errors
    ///
    /// [`PeerFault::Truncated`].
    pub fn decode(bytes: &'a [u8]) -> Result<Self, PeerFault> {
        let mut reader = Reader::new(bytes);
        Ok(Self { message: reader.short("message id")?, sent_at: reader.i64("message time")? })
    }

    /// Appends the metadata.
    pub fn encode(&self, out: &mut Vec<u8>) {
        Writer::new(out).short(self.message).i64(self.sent_at);
    }
}

impl fmt::Debug for NmsgMeta<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NmsgMeta(redacted)")
    }
}

/// The body of MSG. Prints its kind only.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum MessageBody<'a> {
    /// What a sender sent.
    Message {
        /// Unix seconds at which the server received it.
        sent_at: i64,
        /// Whether the sender wanted the notifier to hear of it.
        notify: bool,
        /// The message as SEND carried it.
        message: &'a [u8],
    },
    /// Here the queue was full, and messages were refused.
    Quota {
        /// Unix seconds at which it filled.
        at: i64,
    },
}

impl<'a> MessageBody<'a> {
    /// Reads an opened and unpadded body.
    ///
    /// # Errors
    ///
    /// The fault of the field that is short or wrong.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, PeerFault> {
        if let Some(rest) = bytes.strip_prefix(QUOTA) {
            let mut reader = Reader::new(rest);
            let at = reader.i64("quota time")?;
            reader.finish("quota marker")?;
            return Ok(Self::Quota { at });
        }
        let mut reader = Reader::new(bytes);
        let sent_at = reader.i64("message time")?;
        let flags = reader.until(b' ', "message flags")?;
        let notify = Reader::new(flags).bool("message flags")?;
        Ok(Self::Message { sent_at, notify, message: reader.rest() })
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out);
        match self {
            Self::Message { sent_at, notify, message } => {
                writer.i64(*sent_at).bool(*notify).u8(b' ').bytes(message);
            }
            Self::Quota { at } => {
                writer.bytes(QUOTA).i64(*at);
            }
        }
    }
}

impl fmt::Debug for MessageBody<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Message { .. } => "Message(redacted)",
            Self::Quota { .. } => "Quota",
        })
    }
}

const QUOTA: &[u8] = b"QUOTA ";

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn metadata_may_be_followed_by_what_later_versions_add() {
        let meta = NmsgMeta { message: &[7; 24], sent_at: 1_700_000_000 };
        let mut out = Vec::new();
        meta.encode(&mut out);
        assert_eq!(out.len(), 33);
        for len in 0..out.len() {
            assert!(NmsgMeta::decode(&out[..len]).is_err(), "{len} bytes");
        }
        out.extend_from_slice(b"later");
        assert_eq!(NmsgMeta::decode(&out), Ok(meta));
    }

    #[test]
    fn a_quota_marker_ends_after_its_time() {
        let marker = b"QUOTA \0\0\0\0\x65\x53\xf1\0";
        assert_eq!(MessageBody::decode(marker), Ok(MessageBody::Quota { at: 1_700_000_000 }));
        assert_eq!(MessageBody::decode(&marker[..13]), Err(PeerFault::Truncated { field: "quota time" }));
        let longer = [marker.as_slice(), b"x"].concat();
        assert_eq!(MessageBody::decode(&longer), Err(PeerFault::TrailingBytes { field: "quota marker" }));
    }

    #[test]
    fn reserved_flags_are_read_over() {
        let body = b"\0\0\0\0\x65\x53\xf1\0Txyz hello ";
        assert_eq!(
            MessageBody::decode(body),
            Ok(MessageBody::Message { sent_at: 1_700_000_000, notify: true, message: b"hello " })
        );
        let fault = PeerFault::Truncated { field: "message flags" };
        assert_eq!(MessageBody::decode(b"\0\0\0\0\x65\x53\xf1\0T"), Err(fault));
        assert_eq!(MessageBody::decode(b"\0\0\0\0\x65\x53\xf1\0 x"), Err(fault));
    }

    #[test]
    fn a_notice_has_four_fields() {
        let address = "smp://AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=@a/AgIC";
        let nonce = "AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMD";
        let entry = |time: &str, nonce: &str, meta: &str| alloc::format!("{address} {time} {nonce} {meta}");
        let good = entry("1700000000", nonce, "BAQE");
        assert_eq!(decode_notices(good.as_bytes()).map(|notices| notices.len()), Ok(1));
        let two = [good.as_str(), good.as_str()].join(";");
        assert_eq!(decode_notices(two.as_bytes()).map(|notices| notices.len()), Ok(2));
        for bad in [
            "".into(),
            alloc::format!("{good};"),
            alloc::format!(";{good}"),
            alloc::format!("{good} "),
            alloc::format!("{good} more"),
            alloc::format!("{good}; {good}"),
            entry("", nonce, "BAQE"),
            entry("x", nonce, "BAQE"),
            entry("9223372036854775808", nonce, "BAQE"),
            entry("1700000000", "AwMD", "BAQE"),
            entry("1700000000", nonce, ""),
            entry("1700000000", nonce, "!"),
            alloc::format!("{address} 1700000000 {nonce}"),
        ] {
            assert!(decode_notices(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
