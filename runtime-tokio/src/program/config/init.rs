//! `ntf init`: the file and the keys of a server.

use std::io;
use std::path::Path;

use ntf_core::base::rng::Stream;
use ntf_core::crypto::keys::X25519Private;
use ntf_core::relay::sealed_token::OpeningKey;
use ntf_core::wire::text::base64;
use toml::Value;
use zeroize::Zeroizing;

use super::keys::{Kind, Place};
use super::{defaults, keys, keys_of};
use crate::identity::{read, write_new};
use crate::program::announce::{print, printable, randomness};
use crate::program::cli;
use crate::program::failure::Failure;

/// Name of the file with the private key for sealed device tokens.
pub(crate) const SEALING_KEY: &str = "sealing.key";

/// Writes the files, and prints what others need to know: the address, the fingerprint and, of a push
/// server, the key to seal device tokens to.
///
/// # Errors
///
/// When there is such a file already, or the folder cannot be written.
pub fn run(options: &cli::Init) -> Result<(), Failure> {
    let kind = options.kind;
    let place = place(options)?;
    let file = options.dir.join(kind.name()).with_extension("toml");
    std::fs::create_dir_all(&options.dir).map_err(|error| cannot(&options.dir, &error))?;
    let set = settings(options, &place);
    write_new(&file, &text_of(kind, &set), 0o600).map_err(|error| cannot(&file, &error))?;
    let identity = place.identity(kind.protocol())?;
    let server = place.address(&identity, place.listen)?;
    print(&printable(kind.protocol(), &server)?);
    print(&format!("fingerprint {}", base64::encode(server.identity.as_bytes())));
    if kind == Kind::Push {
        let key = new_sealing_key(&options.dir.join(SEALING_KEY))?;
        print(&format!("sealing key {}", base64::encode(key.public().as_bytes())));
    }
    eprintln!("{}", advice(kind, &file));
    Ok(())
}

/// The place that the file will describe once it is written.
fn place(options: &cli::Init) -> Result<Place, Failure> {
    let kind = options.kind;
    let mut place = match kind {
        Kind::Subscriber => defaults(keys::subscriber).place,
        Kind::Push => defaults(keys::push).place,
        Kind::Server => defaults(keys::server).place,
        Kind::Smp => defaults(keys::smp).place,
    };
    if let Some(listen) = options.listen {
        place.listen = listen;
    }
    if !options.host.is_empty() {
        place.hosts.clone_from(&options.host);
    }
    if kind != Kind::Subscriber && options.push_server.is_some() {
        return Err(Failure::usage("--push-server is for `ntf init subscriber` only."));
    }
    Ok(place.in_folder(&options.dir))
}

/// Keys that are written as more than a comment, with their values as TOML.
fn settings(options: &cli::Init, place: &Place) -> Vec<(&'static str, &'static str, String)> {
    let hosts = Value::Array(place.hosts.iter().map(|host| Value::from(host.as_str())).collect());
    let mut set = vec![
        ("listen", "address", Value::from(place.listen.to_string()).to_string()),
        ("listen", "hosts", hosts.to_string()),
    ];
    if let Some(server) = &options.push_server {
        set.push(("push_server", "address", Value::from(server.as_str()).to_string()));
    }
    set
}

/// The file: every key with its meaning, as a comment where it says nothing but the default.
pub(super) fn text_of(kind: Kind, set: &[(&str, &str, String)]) -> String {
    let mut text = format!(
        "# Settings of `ntf {0} --config {0}.toml`. Keys that are commented out have the value that is shown.\n# Paths start where this file is.\n",
        kind.name()
    );
    let mut section = "";
    for key in keys_of(kind) {
        if key.section != section {
            section = key.section;
            text.push_str(&if key.is_list {
                format!("\n# One such section for each; remove the # before its lines.\n#[[{section}]]\n")
            } else {
                format!("\n[{section}]\n")
            });
        }
        let given = set.iter().find(|(section, name, _)| *section == key.section && *name == key.name);
        text.push_str(&format!("\n# {}\n# It must be {}.\n", key.what, key.allowed));
        text.push_str(&match (given, key.default) {
            (Some((_, name, value)), _) => format!("{name} = {value}\n"),
            (None, Some(default)) => format!("#{} = {default}\n", key.name),
            (None, None) => format!("# It must be given.\n#{} = \n", key.name),
        });
    }
    text
}

fn new_sealing_key(file: &Path) -> Result<OpeningKey, Failure> {
    let private = X25519Private::generate(&mut randomness()?.stream(Stream::Keys));
    let text = Zeroizing::new(base64::encode(private.expose()) + "\n");
    write_new(file, &text, 0o600).map_err(|error| cannot(file, &error))?;
    Ok(OpeningKey::new(private))
}

/// The key in a file that `ntf init push` has made.
///
/// # Errors
///
/// When it cannot be read or is none.
pub(crate) fn sealing_key(file: &Path) -> Result<OpeningKey, Failure> {
    let text = read(file)?;
    let bytes: Option<[u8; 32]> = base64::decode_array(text.trim());
    bytes.map(|bytes| OpeningKey::new(X25519Private::from_bytes(bytes))).ok_or_else(|| {
        Failure::failed(format!(
            "{} holds no key: it must be one line as `ntf init push` writes it.",
            file.display()
        ))
    })
}

fn cannot(path: &Path, error: &io::Error) -> Failure {
    let remedy = if error.kind() == io::ErrorKind::AlreadyExists {
        "remove it first if you want a new one, or name another folder with --dir"
    } else {
        "name a folder that this user can write to with --dir"
    };
    Failure::failed(format!("Cannot write {}: {error}; {remedy}.", path.display()))
}

fn advice(kind: Kind, file: &Path) -> String {
    let file = file.display();
    let run = format!("Settings are in {file}. Start it with: ntf {} --config {file}", kind.name());
    match kind {
        Kind::Subscriber => format!(
            "{run}\nGive the address to your users, and the fingerprint to the operator of the push server, whose address goes into [push_server]."
        ),
        Kind::Push => format!(
            "{run}\nGive the address to operators of subscribers and list their fingerprints under [[subscribers]]; the sealing key goes into apps."
        ),
        Kind::Server | Kind::Smp => format!("{run}\nGive the address to your users."),
    }
}
