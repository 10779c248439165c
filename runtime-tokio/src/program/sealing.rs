//! Device tokens that only a push server can read, as the program's own devices make them.

use ntf_core::base::rng::Stream;
use ntf_core::crypto::keys::X25519Public;
use ntf_core::model::server::ServerAddress;
use ntf_core::model::token::DeviceToken;
use ntf_core::relay::sealed_token::seal;

use crate::program::announce::randomness;
use crate::program::failure::Failure;

/// Seals a device token to a push server, for registration with one subscriber.
///
/// # Errors
///
/// When the system gives no randomness, or the key is no push server's.
pub(crate) fn sealed(
    device: &DeviceToken,
    key: &X25519Public,
    subscriber: &ServerAddress,
) -> Result<DeviceToken, Failure> {
    let mut keys = randomness()?.stream(Stream::Keys);
    seal(device, key, &subscriber.identity, &mut keys)
        .map_err(|fault| Failure::usage(format!("Cannot seal the device token: {fault}.")))
}
