//! Embeds a push server alone, and has it push once: to a device of a stand-in for Apple, so that it can be
//! tried without Apple's key. For the real thing, read the key with `http2::read_key_file`.

use std::error::Error;

use ntf_core::host::mailbox;
use ntf_core::model::push::{PushId, PushOrder, PushOutcome, PushPayload};
use ntf_core::model::token::{DeviceToken, Provider};
use ntf_core::push::Push;
use ntf_runtime_smol::clock::Clock;
use ntf_runtime_smol::driver::Letter;
use ntf_runtime_smol::http2::Providers;
use ntf_runtime_smol::roles::PushMail;
use ntf_runtime_smol::service::{os_seed, run_push};
use ntf_runtime_smol::standin::Trial;

fn main() -> Result<(), Box<dyn Error>> {
    smol::block_on(async {
        let (clock, apple) = (Clock::start(), Trial::start("127.0.0.1:0".parse()?, "chat.example").await?);
        let role = Push::new(apple.push_config(), os_seed()?, clock.now());
        let (outcomes_to, mut outcomes) = mailbox::bounded::<Letter<PushOutcome>>(16);
        let push = run_push(role, clock, Providers::new(&apple.provider_config()?)?, outcomes_to);
        let device =
            DeviceToken { provider: Provider::ApnsTest, token: b"0123456789abcdef".as_slice().into() };
        push.send(PushMail::Order(PushOrder { id: PushId(1), device, payload: PushPayload::CheckMessages }));
        println!("{:?}", outcomes.recv().await);
        push.stop().await;
        apple.stop().await;
        Ok(())
    })
}
