//! Key chains of block encryption: every block of a direction has its own key and nonce.
//!
//! The chain moves on once per block, also when a block does not open. There is no counter on the wire,
//! so after a lost block nothing opens any more and the link is over. Source: `smp-transport` 3.6.
//!
//! ```text
//! init = HKDF(salt = session id, ikm = DH secret, info = "SimpleXSbChainInit", 64)
//! out  = HKDF(salt = empty, ikm = chain key, info = "SimpleXSbChain", 88)
//!      = next chain key (32) || box key (32) || nonce (24)
//! ```

use hkdf::Hkdf;
use sha2::Sha512;
use zeroize::Zeroizing;

use super::boxed::{BoxKey, Nonce};
use super::keys::DhSecret;
use crate::base::fault::PeerFault;
use crate::base::limits::NONCE_LEN;
use crate::base::secret::Secret;

/// The chains of both directions of one session.
#[derive(Debug)]
pub struct BlockChains {
    /// The server seals with it, the client opens.
    pub server_to_client: Chain,
    /// The client seals with it, the server opens.
    pub client_to_server: Chain,
}

impl BlockChains {
    /// The chains of the session with this id and secret; both sides derive the same.
    #[must_use]
    pub fn derive(session_id: &[u8], secret: &DhSecret) -> Self {
        let init: Zeroizing<[u8; 64]> = expand(Some(session_id), secret.expose(), b"SimpleXSbChainInit");
        Self {
            server_to_client: Chain(part::<0, _, _>(&init)),
            client_to_server: Chain(part::<32, _, _>(&init)),
        }
    }
}

/// The chain of one direction.
#[derive(Debug)]
pub struct Chain(Secret<32>);

impl Chain {
    /// Seals what follows the first 16 bytes of `block`, writes the tag into those, and moves on.
    ///
    /// The block is 16384 bytes: 16 of room, then the padded content.
    pub fn seal_block(&mut self, block: &mut [u8]) {
        let (key, nonce) = self.advance();
        key.seal(&nonce, block);
    }

    /// Opens a block in place, returns its padded content, and moves on.
    ///
    /// # Errors
    ///
    /// [`PeerFault::BadBlock`] when the tag does not fit. Later blocks will not open either if this one
    /// was out of order: end the link.
    pub fn open_block<'b>(&mut self, block: &'b mut [u8]) -> Result<&'b mut [u8], PeerFault> {
        let (key, nonce) = self.advance();
        key.open(&nonce, block)
    }

    /// The key and nonce of the next block.
    fn advance(&mut self) -> (BoxKey, Nonce) {
        let out: Zeroizing<[u8; 88]> = expand(None, self.0.expose(), b"SimpleXSbChain");
        self.0 = part::<0, _, _>(&out);
        let key: Secret<32> = part::<32, _, _>(&out);
        let nonce: Secret<NONCE_LEN> = part::<64, _, _>(&out);
        (BoxKey::of_key(key.expose()), *nonce.expose())
    }
}

/// HKDF with SHA-512; no salt is the usual 64 zero bytes. Source: `smp-transport` 1.7.
fn expand<const N: usize>(salt: Option<&[u8]>, ikm: &[u8], info: &[u8]) -> Zeroizing<[u8; N]> {
    const { assert!(N <= 255 * 64, "HKDF gives 255 hashes at most") };
    let mut out = Zeroizing::new([0; N]);
    Hkdf::<Sha512>::new(salt, ikm)
        .expand(info, out.as_mut_slice())
        .expect("the length was checked at compile time");
    out
}

/// `LEN` bytes of key material from `AT`.
fn part<const AT: usize, const LEN: usize, const N: usize>(material: &[u8; N]) -> Secret<LEN> {
    const { assert!(AT + LEN <= N, "the part lies within the material") };
    let mut bytes = Zeroizing::new([0; LEN]);
    for (to, from) in bytes.iter_mut().zip(material.iter().skip(AT)) {
        *to = *from;
    }
    Secret::new(*bytes)
}
