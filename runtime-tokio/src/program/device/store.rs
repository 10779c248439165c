//! The file that a device is kept in: everything of it, encrypted under a passphrase or a key file.
//!
//! ```text
//! file   = "NTFDEVICE" version(1) Word32 KiB of memory || Word32 passes || salt(16) check(8) nonce(24) box
//! box    = box(key, nonce, JSON of `Contents`)
//! key    = Argon2id(secret, salt) with that much memory, that many passes and one lane: 32 bytes for the box,
//!          and 8 more for `check`
//! ```
//!
//! Argon2id makes guessing a passphrase dear (RFC 9106); the box is the project's own XSalsa20-Poly1305, whose
//! vectors it shares with the protocol. `check` tells a wrong passphrase from a damaged file; a guesser gains
//! nothing by it, as the box would tell as well. A key file goes the same way, whatever it holds.
//!
//! One process at a time works with a device: another finds the file locked. It is written beside and moved into
//! its place, so that a power cut leaves the old one or the new one.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use argon2::{Algorithm, Argon2, Params};
use ntf_core::crypto::boxed::BoxKey;
use ntf_core::wire::text::base64;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use crate::program::cli::Kept;
use crate::program::failure::Failure;

const MAGIC: &[u8; 9] = b"NTFDEVICE";
const VERSION: u8 = 1;

/// What the key costs in a file that is written: 64 MiB and 3 passes, the second choice of RFC 9106, 4.
const COST: Cost = Cost { kib: 64 * 1024, passes: 3 };

/// The dearest key that is derived: a file from elsewhere must not take all memory. Source: ours.
const COST_MAX: Cost = Cost { kib: 1024 * 1024, passes: 16 };

const SALT_LEN: usize = 16;
const CHECK_LEN: usize = 8;
const NONCE_LEN: usize = 24;

/// The environment variable with the passphrase.
const PASSPHRASE: &str = "NTF_PASSPHRASE";

#[derive(Clone, Copy)]
struct Cost {
    kib: u32,
    passes: u32,
}

/// What a device's file holds.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Contents {
    /// The client's exported state, as base64url.
    client: String,
    /// Where its pushes come from.
    pub(super) pushes: Option<Pushes>,
}

/// Where a device's pushes come from: a stand-in for Apple.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Pushes {
    /// Its endpoint.
    pub(super) stand_in: String,
    /// File with its CA certificate.
    pub(super) ca: PathBuf,
    /// The device token, as the stand-in knows it.
    pub(super) token: String,
    /// The sealing key of the push server that the token is sealed to, if it is.
    #[serde(default)]
    pub(super) sealed: Option<String>,
}

impl Contents {
    /// The client's state; `None` for a device that has none yet.
    pub(super) fn client(&self) -> Option<Zeroizing<Vec<u8>>> {
        base64::decode(&self.client).filter(|bytes| !bytes.is_empty()).map(Zeroizing::new)
    }

    pub(super) fn set_client(&mut self, state: &[u8]) {
        self.client.zeroize();
        self.client = base64::encode(state);
    }
}

impl Drop for Contents {
    fn drop(&mut self) {
        self.client.zeroize();
    }
}

/// A device's file, locked for this process.
pub(super) struct Store {
    path: PathBuf,
    secret: Zeroizing<Vec<u8>>,
    _lock: File,
}

/// Why a file is not a device's, in words and without its contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StoreFault {
    NotADevice,
    OtherVersion(u8),
    TooDear,
    WrongSecret,
    Damaged,
}

impl fmt::Display for StoreFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotADevice => f.write_str("this is not the file of a device"),
            Self::OtherVersion(version) => {
                write!(f, "it is of version {version}, and this program reads version {VERSION}")
            }
            Self::TooDear => {
                f.write_str("its key asks for more memory or time than any that this program makes")
            }
            Self::WrongSecret => f.write_str("the passphrase or key file is not the one it was written with"),
            Self::Damaged => {
                f.write_str("it is damaged: restore it from a copy, or register the device anew")
            }
        }
    }
}

impl Store {
    /// Locks a device's file, which need not exist yet.
    ///
    /// # Errors
    ///
    /// When another process works with it, or no secret is given.
    pub(super) fn open(kept: &Kept) -> Result<Self, Failure> {
        let secret = secret(kept)?;
        let lock_path = beside(&kept.state, "lock");
        let cannot =
            |error: io::Error| Failure::failed(format!("Cannot work with {}: {error}.", lock_path.display()));
        let lock =
            OpenOptions::new().create(true).append(true).mode(0o600).open(&lock_path).map_err(cannot)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: kept.state.clone(), secret, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Failure::failed(format!(
                "Another process works with the device in {}: wait for its end, or stop it.",
                kept.state.display()
            ))),
            Err(TryLockError::Error(error)) => Err(cannot(error)),
        }
    }

    /// The contents; `None` where there is no file.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is not a device's under this secret.
    pub(super) fn load(&self) -> Result<Option<Contents>, Failure> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(Failure::failed(format!("Cannot read {}: {error}.", self.path.display())));
            }
        };
        decrypt(&bytes, &self.secret).map(Some).map_err(|fault| self.unreadable(&fault))
    }

    /// Why the file cannot be used.
    pub(super) fn unreadable(&self, fault: &dyn fmt::Display) -> Failure {
        Failure::failed(format!("Cannot use {}: {fault}.", self.path.display()))
    }

    /// Puts these contents in the place of the former ones.
    ///
    /// # Errors
    ///
    /// When the file cannot be written, or the system has no randomness or memory to give.
    pub(super) fn save(&self, contents: &Contents) -> Result<(), Failure> {
        let bytes = encrypt(contents, &self.secret)?;
        write_over(&self.path, &bytes)
            .map_err(|error| Failure::failed(format!("Cannot write {}: {error}.", self.path.display())))
    }

    /// Removes the file.
    ///
    /// # Errors
    ///
    /// When it cannot be removed.
    pub(super) fn remove(self) -> Result<(), Failure> {
        let removed = fs::remove_file(&self.path);
        let _ = fs::remove_file(beside(&self.path, "lock"));
        removed.map_err(|error| Failure::failed(format!("Cannot remove {}: {error}.", self.path.display())))
    }
}

fn secret(kept: &Kept) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let secret = match &kept.key_file {
        Some(path) => fs::read(path)
            .map_err(|error| Failure::failed(format!("Cannot read {}: {error}.", path.display())))?,
        None => match std::env::var(PASSPHRASE) {
            Ok(passphrase) => passphrase.into_bytes(),
            Err(_) => {
                return Err(Failure::usage(format!(
                    "The device's file is encrypted: give --key-file, or a passphrase in {PASSPHRASE}."
                )));
            }
        },
    };
    match secret.is_empty() {
        true => Err(Failure::usage("The passphrase or key file is empty.")),
        false => Ok(Zeroizing::new(secret)),
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{ending}"));
    name.into()
}

fn write_over(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = beside(path, "new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    write_folder(path);
    Ok(())
}

/// Has the system write the folder of a file that was put in its place: until then, a power cut may bring the old one
/// back. Some file systems cannot, and a folder may be closed to reading; the file is whole nevertheless.
fn write_folder(path: &Path) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let _ = File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all());
}

fn encrypt(contents: &Contents, secret: &[u8]) -> Result<Vec<u8>, Failure> {
    let no_randomness =
        |error: getrandom::Error| Failure::failed(format!("The system gives no randomness: {error}."));
    let (mut salt, mut nonce) = ([0; SALT_LEN], [0; NONCE_LEN]);
    getrandom::fill(&mut salt).map_err(no_randomness)?;
    getrandom::fill(&mut nonce).map_err(no_randomness)?;
    let (key, check) = derive(secret, &salt, COST)
        .ok_or_else(|| Failure::failed("There is not enough memory to derive the file's key."))?;
    let plain = Zeroizing::new(
        serde_json::to_vec(contents).map_err(|error| Failure::failed(format!("Cannot write: {error}.")))?,
    );
    let mut bytes = Vec::new();
    bytes.extend_from_slice(MAGIC);
    bytes.push(VERSION);
    bytes.extend_from_slice(&COST.kib.to_be_bytes());
    bytes.extend_from_slice(&COST.passes.to_be_bytes());
    bytes.extend_from_slice(&salt);
    bytes.extend_from_slice(&check);
    bytes.extend_from_slice(&nonce);
    let mut sealed = plain.to_vec();
    let tag = key.seal_detached(&nonce, &mut sealed);
    bytes.extend_from_slice(&tag);
    bytes.extend_from_slice(&sealed);
    Ok(bytes)
}

fn decrypt(bytes: &[u8], secret: &[u8]) -> Result<Contents, StoreFault> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(StoreFault::NotADevice)?;
    let (version, rest) = rest.split_first().ok_or(StoreFault::Damaged)?;
    if *version != VERSION {
        return Err(StoreFault::OtherVersion(*version));
    }
    let (kib, rest) = rest.split_first_chunk().ok_or(StoreFault::Damaged)?;
    let (passes, rest) = rest.split_first_chunk().ok_or(StoreFault::Damaged)?;
    let (salt, rest) = rest.split_first_chunk::<SALT_LEN>().ok_or(StoreFault::Damaged)?;
    let (check, rest) = rest.split_first_chunk::<CHECK_LEN>().ok_or(StoreFault::Damaged)?;
    let (nonce, rest) = rest.split_first_chunk::<NONCE_LEN>().ok_or(StoreFault::Damaged)?;
    let (tag, sealed) = rest.split_first_chunk().ok_or(StoreFault::Damaged)?;
    let cost = Cost { kib: u32::from_be_bytes(*kib), passes: u32::from_be_bytes(*passes) };
    if cost.kib > COST_MAX.kib || cost.passes > COST_MAX.passes {
        return Err(StoreFault::TooDear);
    }
    let (key, expected) = derive(secret, salt, cost).ok_or(StoreFault::TooDear)?;
    if expected != *check {
        return Err(StoreFault::WrongSecret);
    }
    let mut plain = Zeroizing::new(sealed.to_vec());
    key.open_detached(nonce, tag, &mut plain).map_err(|_| StoreFault::Damaged)?;
    serde_json::from_slice(&plain).map_err(|_| StoreFault::Damaged)
}

fn derive(secret: &[u8], salt: &[u8], cost: Cost) -> Option<(BoxKey, [u8; CHECK_LEN])> {
    let params = Params::new(cost.kib, cost.passes, 1, Some(32 + CHECK_LEN)).ok()?;
    let mut derived = Zeroizing::new([0; 32 + CHECK_LEN]);
    Argon2::new(Algorithm::Argon2id, argon2::Version::V0x13, params)
        .hash_password_into(secret, salt, derived.as_mut_slice())
        .ok()?;
    let (key, check) = derived.split_first_chunk::<32>()?;
    Some((BoxKey::of_key(key), check.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents() -> Contents {
        let mut contents = Contents::default();
        contents.set_client(b"state");
        contents
    }

    #[test]
    fn a_file_opens_with_its_secret_and_with_no_other() {
        let bytes = encrypt(&contents(), b"correct horse").unwrap();
        assert_eq!(
            decrypt(&bytes, b"correct horse").map(|read| read.client().unwrap().to_vec()),
            Ok(b"state".to_vec())
        );
        assert_eq!(decrypt(&bytes, b"wrong horse").map(|_| ()), Err(StoreFault::WrongSecret));
        let again = encrypt(&contents(), b"correct horse").unwrap();
        assert_ne!(bytes, again, "salt and nonce are fresh each time");
        assert!(!bytes.windows(5).any(|window| window == b"state"));
    }

    #[test]
    fn whatever_an_earlier_end_left_beside_the_file_the_next_write_is_whole() {
        let folder = std::env::temp_dir().join(format!("ntf-store-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("device");
        write_over(&path, b"old").unwrap();
        // Killed while the new one was written, which was longer.
        fs::write(beside(&path, "new"), b"half of a longer o").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old", "it is not touched until the new one is whole");
        write_over(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert!(!beside(&path, "new").exists());
        // Where the new one cannot be written, the old one stays.
        fs::create_dir(beside(&path, "new")).unwrap();
        write_over(&path, b"newer").unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_damaged_file_is_told_from_a_wrong_secret_and_from_something_else() {
        let good = encrypt(&contents(), b"x").unwrap();
        let fault = |bytes: &[u8]| decrypt(bytes, b"x").map(|_| ()).unwrap_err();
        assert_eq!(fault(b""), StoreFault::NotADevice);
        assert_eq!(fault(b"{}"), StoreFault::NotADevice);
        assert_eq!(fault(b"NTFDEVICE"), StoreFault::Damaged);
        assert_eq!(fault(b"NTFDEVICE\x07"), StoreFault::OtherVersion(7));
        let at = |at: usize| {
            let mut bytes = good.clone();
            bytes[at] ^= 1;
            fault(&bytes)
        };
        let header = MAGIC.len() + 1 + 4 + 4;
        assert_eq!(at(MAGIC.len() + 1), StoreFault::TooDear, "16 GiB");
        assert_eq!(at(header), StoreFault::WrongSecret, "another salt is another key");
        assert_eq!(at(header + SALT_LEN + CHECK_LEN), StoreFault::Damaged);
        assert_eq!(at(good.len() - 1), StoreFault::Damaged);
        assert_eq!(fault(&good[..good.len() - 1]), StoreFault::Damaged);
        assert_eq!(fault(&good[..header]), StoreFault::Damaged);
    }
}
