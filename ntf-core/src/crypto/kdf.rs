//! Keys from secrets: HKDF with SHA-512, and the parts of what it gives.

use hkdf::Hkdf;
use sha2::Sha512;
use zeroize::Zeroizing;

use crate::base::secret::Secret;

/// HKDF with SHA-512; no salt is the usual 64 zero bytes. Source: `smp-transport` 1.7.
pub(crate) fn expand<const N: usize>(salt: Option<&[u8]>, ikm: &[u8], info: &[u8]) -> Zeroizing<[u8; N]> {
    const { assert!(N <= 255 * 64, "HKDF gives 255 hashes at most") };
    let mut out = Zeroizing::new([0; N]);
    Hkdf::<Sha512>::new(salt, ikm)
        .expand(info, out.as_mut_slice())
        .expect("the length was checked at compile time");
    out
}

/// `LEN` bytes of key material from `AT`.
pub(crate) fn part<const AT: usize, const LEN: usize, const N: usize>(material: &[u8; N]) -> Secret<LEN> {
    const { assert!(AT + LEN <= N, "the part lies within the material") };
    let mut bytes = Zeroizing::new([0; LEN]);
    for (to, from) in bytes.iter_mut().zip(material.iter().skip(AT)) {
        *to = *from;
    }
    Secret::new(*bytes)
}
