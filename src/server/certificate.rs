//! The certificate that handshakes use, and how another takes its place while the server runs.
//!
//! SIGHUP reads the files anew. What is wrong with them is logged, and the former certificate stays;
//! connections that live are not touched either way. Without a certificate SIGHUP is logged and no more.

use crate::tls::{Files, LoadError, ServerConfig, Tickets};
use std::sync::Arc;
use tokio::signal::unix::Signal;
use tokio::sync::watch;

/// See the module.
pub(super) struct Certificate {
    files: Files,
    tickets: Tickets,
    current: watch::Sender<Arc<ServerConfig>>,
}

impl Certificate {
    /// Reads the files.
    pub(super) fn load(files: Files) -> Result<Self, LoadError> {
        let tickets = Tickets::new()?;
        let current = watch::Sender::new(files.load(&tickets)?);
        Ok(Self { files, tickets, current })
    }

    /// The one that is current whenever it is looked at.
    pub(super) fn watch(&self) -> watch::Receiver<Arc<ServerConfig>> {
        self.current.subscribe()
    }

    /// Reads the files anew.
    fn reload(&self) {
        let path = self.files.certificate.display();
        match self.files.load(&self.tickets) {
            Ok(config) => {
                self.current.send_replace(config);
                tracing::info!(%path, "certificate read anew");
            }
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::error!(error, "the former certificate stays");
            }
        }
    }
}

/// Reads the files anew at every signal, where there are any.
pub(super) async fn reload_at(mut signal: Signal, certificate: Option<Certificate>) {
    while signal.recv().await.is_some() {
        if let Some(certificate) = &certificate {
            certificate.reload();
        } else {
            tracing::info!("there is no certificate to be read anew");
        }
    }
}
