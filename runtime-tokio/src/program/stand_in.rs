//! `ntf stand-in`: a stand-in for Apple as a process of its own.

use serde_json::json;

use crate::identity::write_new;
use crate::program::announce::print;
use crate::program::cli;
use crate::program::failure::Failure;
use crate::program::server::trial_failure;
use crate::program::signals::stop_asked;
use crate::standin::Trial;

/// Runs until SIGINT or SIGTERM.
///
/// # Errors
///
/// When the folder cannot be written, holds files already, or the address cannot be bound.
pub async fn run(options: cli::StandIn) -> Result<(), Failure> {
    let stop = stop_asked()?;
    let trial = Trial::start(options.listen, &options.topic)
        .await
        .map_err(|fault| trial_failure("--listen", options.listen, &fault))?;
    let cannot = |what: &std::path::Path, error: std::io::Error| {
        Failure::failed(format!(
            "Cannot write {}: {error}; name a new or empty folder that this user can write to.",
            what.display()
        ))
    };
    std::fs::create_dir_all(&options.dir).map_err(|error| cannot(&options.dir, error))?;
    let (ca, key) = (options.dir.join("ca.crt"), options.dir.join("apns-key.p8"));
    write_new(&ca, trial.stand_in().ca_pem(), 0o644).map_err(|error| cannot(&ca, error))?;
    write_new(&key, trial.key_pem(), 0o600).map_err(|error| cannot(&key, error))?;
    let endpoint = trial.stand_in().endpoint();
    if options.json {
        let object = json!({ "endpoint": endpoint, "key_id": trial.key_id(), "team_id": trial.team_id() });
        print(&object.to_string());
    } else {
        print(&endpoint);
        eprintln!(
            "Point a server here with: ntf server --apns {endpoint} --apns-ca {} --apns-key {} --apns-key-id {} --apns-team-id {}",
            ca.display(),
            key.display(),
            trial.key_id(),
            trial.team_id()
        );
    }
    let signal = stop.await;
    eprintln!("{signal}: stopping.");
    trial.stop().await;
    Ok(())
}
