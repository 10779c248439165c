//! `ntf demo`: the whole system on loopback, over real sockets, with what each party saw of it.

mod ledger;
mod scene;
mod servers;
mod show;

use std::time::Duration;

use crate::program::cli;
use crate::program::failure::Failure;
use crate::wait::timeout;

use ledger::Ledger;
use scene::Scene;
pub use scene::device_token;

/// No progress for this long means that what is missing is lost.
const PATIENCE: Duration = Duration::from_secs(15);

/// Messages on their way at once. More would measure queueing instead of the path.
const WINDOW: usize = 16;

/// Runs the demonstration.
///
/// # Errors
///
/// When a part does not start, or when a message is lost.
pub async fn run(options: cli::Demo) -> Result<(), Failure> {
    let show = show::Show::new(&options);
    let mut scene = Scene::start(&options).await?;
    show.parties(&scene, &options);
    scene.register().await?;
    show.registered(&options);
    scene.create_queues(options.queues).await?;
    show.ready(&options);

    let mut ledger = Ledger::new(options.messages);
    show.table_head();
    let queues = scene.queue_count();
    while !ledger.is_complete() {
        while ledger.on_the_way() < WINDOW {
            let Some(number) = ledger.next_to_send() else { break };
            let queue = usize::try_from(number.saturating_sub(1)).unwrap_or(0) % queues;
            ledger.sending(number, queue, scene.now());
            scene.send(number, queue)?;
        }
        let Ok(seen) = timeout(PATIENCE, scene.next_sight()).await else { break };
        for row in ledger.note(seen?) {
            show.row(&row, &ledger, &scene);
        }
    }

    let summary = ledger.summary();
    let parties = scene.stop().await?;
    show.summary(&summary, &parties);
    if summary.lost > 0 {
        return Err(Failure::failed(format!(
            "{} of {} messages did not reach their device within {} s of the last progress.",
            summary.lost,
            summary.messages,
            PATIENCE.as_secs()
        )));
    }
    Ok(())
}
