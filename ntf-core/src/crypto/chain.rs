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

use zeroize::Zeroizing;

use super::boxed::{BoxKey, Nonce};
use super::kdf::{expand, part};
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::base::limits::{SMP_BLOCK_LEN, TAG_LEN};
    use crate::crypto::examples::{session_id, unhex, x25519};
    use crate::crypto::pad::{pad_in_place, unpad};
    use crate::crypto::sha::sha256;

    /// The chains of `smp-transport` 9.5.
    fn example() -> BlockChains {
        BlockChains::derive(&session_id(), &x25519(0x11).agree(&x25519(0x22).public()))
    }

    /// Room for a tag, then the padded content.
    fn block(content: &[u8]) -> [u8; SMP_BLOCK_LEN] {
        let mut block = [0; SMP_BLOCK_LEN];
        block[TAG_LEN + 2..][..content.len()].copy_from_slice(content);
        pad_in_place(&mut block[TAG_LEN..], content.len()).unwrap();
        block
    }

    #[test]
    fn chain_keys_and_the_keys_of_the_first_blocks() {
        let mut chains = example();
        for (chain, start, key, nonce, next) in [
            (
                &mut chains.server_to_client,
                "90f64c20cb311c7a4a1cceb8d987e8d53e7b70f9fe124c21c7b1b5973805ebca",
                "e099729a74acb4b651496907fd6b41260055ce0baa0f362a6a4f803ccfa1f008",
                "71ced8e0e749695d2e5a6621e0686624c1267c57fbe4f00b",
                "4401bc41ddd286ddeaa7fce9d84f8221f37a4db726c87a5d1290d239a9697e7a",
            ),
            (
                &mut chains.client_to_server,
                "68e2bbbe091a658e43822957c30706d3020fc8993b9084894e5d81991f33305a",
                "b2eea0d081065bdbe683c74ecb4fb46932c08aec859546220de705f3c254c05a",
                "14e962255fa9fa02c25029b6c67971294283d7201d8a87e1",
                "a87e40d3cb3f46afab7dc250316cae83a39ffc746e454d647cd691e2a04ba48f",
            ),
        ] {
            assert_eq!(hex::encode(chain.0.expose()), start);
            let (first_key, first_nonce) = chain.advance();
            assert_eq!(first_key, BoxKey::of_key(&unhex(key).try_into().unwrap()));
            assert_eq!(hex::encode(first_nonce), nonce);
            assert_eq!(hex::encode(chain.0.expose()), next);
        }
    }

    #[test]
    fn the_first_block_of_a_client() {
        let content = unhex("01001f0018a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b70050494e47");
        let mut block = block(&content);
        example().client_to_server.seal_block(&mut block);
        assert_eq!(
            hex::encode(&block[..32]),
            "8d3f7b668d92b85cd9e65dc724ec8a99d9f5e8f4a65c6d79d0a78a949f1faf23"
        );
        assert_eq!(hex::encode(&block[SMP_BLOCK_LEN - 16..]), "e484c2821de88b4ba879398073ab7643");
        assert_eq!(
            hex::encode(sha256(&block)),
            "e7e7080b27578d620d033204be5188d23741026a4e06646dd93247b7b6920d42"
        );
        let opened =
            example().client_to_server.open_block(&mut block).map(|padded| unpad(padded).unwrap() == content);
        assert_eq!(opened, Ok(true));
    }

    #[test]
    fn a_spoilt_block_takes_its_turn_and_the_next_one_opens() {
        let (mut sender, mut receiver) = (example().server_to_client, example().server_to_client);
        let mut blocks = [block(b"one"), block(b"two"), block(b"three")];
        for block in &mut blocks {
            sender.seal_block(block);
        }
        let [one, two, three] = &mut blocks;
        two[100] ^= 1;
        assert_eq!(unpad(receiver.open_block(one).unwrap()), Ok(b"one".as_slice()));
        assert_eq!(receiver.open_block(two), Err(PeerFault::BadBlock));
        assert_eq!(unpad(receiver.open_block(three).unwrap()), Ok(b"three".as_slice()));
    }

    #[test]
    fn a_lost_block_ends_the_chain() {
        let (mut sender, mut receiver) = (example().server_to_client, example().server_to_client);
        let mut blocks = [block(b"one"), block(b"two")];
        for block in &mut blocks {
            sender.seal_block(block);
        }
        assert_eq!(receiver.open_block(&mut blocks[1]), Err(PeerFault::BadBlock));
        assert_eq!(receiver.open_block(&mut blocks[0]), Err(PeerFault::BadBlock));
    }

    #[test]
    fn directions_differ() {
        let mut chains = example();
        let mut block = block(b"mirrored");
        chains.client_to_server.seal_block(&mut block);
        assert_eq!(chains.server_to_client.open_block(&mut block), Err(PeerFault::BadBlock));
    }
}
