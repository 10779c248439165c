//! What the script needs of the place where it is played.

use ntf_core::client::effect::Event;
use ntf_core::client::input::Command;
use ntf_core::delivery::policy::PushPolicy;
use ntf_core::model::knowledge::Fact;
use ntf_core::model::server::ServerAddress;
use ntf_core::model::token::{DeviceToken, Provider};
use ntf_core::subscriber::effect::Milestone;

/// One SMP server, one notification server with both roles, one provider, and devices.
pub(crate) trait Ground {
    /// The subscriber's address.
    fn ntf_address(&self) -> ServerAddress;
    /// The SMP server's address.
    fn smp_address(&self) -> ServerAddress;
    /// Adds a device that is not registered; gives its number.
    fn add_device(&mut self) -> usize;
    /// Lets pushes to this token reach the device.
    fn install(&mut self, device: usize, token: &DeviceToken);
    /// Lets the device's application ask for something.
    fn ask(&mut self, device: usize, command: Command);
    /// Hands the device a push that no server sent.
    fn forge_push(&mut self, device: usize, body: &[u8]);
    /// The next thing that the device's application is told; panics when nothing comes.
    fn next_event(&mut self, device: usize) -> Event;
    /// Lets something go wrong at the provider.
    fn fail(&mut self, mishap: Mishap);
    /// Ends the notification server, and starts another with the same address, no memory, and this policy.
    fn restart_subscriber(&mut self, policy: PushPolicy);
    /// Has strangers do to both servers what strangers can do below the protocol, if there is a below.
    fn let_strangers_in(&mut self);
    /// What the subscriber knows.
    fn knowledge(&mut self) -> Vec<Fact>;
    /// What the subscriber has reported since the start, before and after a restart.
    fn milestones(&self) -> Vec<Milestone>;
    /// Stops the servers, then the devices; gives those who came to an orderly end, in that order.
    fn drain(self) -> Vec<&'static str>;
}

/// What may go wrong at the provider.
#[derive(Clone, Debug)]
pub(crate) enum Mishap {
    /// The next push is refused in this way.
    Refuse(u16, &'static str),
    /// The app was removed: this token is answered with 410 from here on.
    Uninstall(DeviceToken),
    /// Pushes are read and not answered from here on.
    Silence,
}

/// A device token of the provider, by number.
pub(crate) fn token(number: u32) -> DeviceToken {
    let text = format!("{:064x}", 0xfeed_face_0000_u64 + u64::from(number));
    DeviceToken { provider: Provider::ApnsTest, token: text.into_bytes().into() }
}
