//! What the roles count, as OpenMetrics text on a local address.
//!
//! The numbers stay where they are counted: a reader's request asks each role, as any other letter does, and
//! each answers with what its meters show. Names are the paths of the fields, so that a new counter is on the
//! page without anybody's doing; `docs/METRICS.md` tells what each means, and a test holds the two together.
//! There are no labels, so no label can carry an identity.
//!
//! [`page`] is the text, [`server`] hands it out. A library would want to own the numbers, and to be told of
//! each change by whoever counts: the text is the smaller part.

pub mod page;
pub mod server;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use ntf_core::base::meter::{Readings, readings};
use ntf_core::host::mailbox::Sender;
use ntf_core::host::oneshot;

use crate::driver::Letter;
use crate::http2::Providers;
use crate::metrics::page::Page;

/// Asks one of them. Nothing comes of one that has ended.
type Ask = Arc<dyn Fn() -> Answer + Send + Sync>;

type Answer = Pin<Box<dyn Future<Output = Option<Readings>> + Send>>;

/// Whom to ask for numbers. Clones share the list.
#[derive(Clone, Default)]
pub struct Sources {
    all: Vec<(&'static str, Ask)>,
}

impl Sources {
    /// Adds a role, whose numbers get this prefix. Those of several under one prefix are added up.
    #[must_use]
    pub fn with_role<M: Send + 'static>(mut self, prefix: &'static str, mailbox: Sender<Letter<M>>) -> Self {
        self.all.push((
            prefix,
            Arc::new(move || {
                let mailbox = mailbox.clone();
                Box::pin(async move {
                    let (answer, readings) = oneshot::channel();
                    mailbox.send(Letter::Read(answer)).await.ok()?;
                    readings.await.ok()
                })
            }),
        ));
        self
    }

    /// Adds the connections to providers.
    #[must_use]
    pub fn with_connections(mut self, providers: Providers) -> Self {
        self.all.push((
            "connections",
            Arc::new(move || {
                let shown = readings(&providers.meters());
                Box::pin(async { Some(shown) })
            }),
        ));
        self
    }

    /// Asks all; `None` when one of them has ended.
    pub async fn page(&self) -> Option<Page> {
        let mut page = Page::default();
        for (prefix, ask) in &self.all {
            page.add(prefix, &ask().await?);
        }
        Some(page)
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all.iter().map(|(prefix, _)| prefix)).finish()
    }
}
