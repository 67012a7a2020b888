//! StartTLS: the socket changes hands while the connection lives.

use std::sync::Arc;

use tokio::io::AsyncWriteExt;

use super::Connection;
use crate::server::stream::Stream;
use crate::server::tls;

impl Connection {
    /// Sends what is waiting in clear, then lets TLS take the socket. What a client sent behind its StartTLS request before the handshake
    /// could have been put there by anybody on the way (CVE-2011-0411 and its kin): the connection ends.
    pub(super) async fn start_tls(&mut self) {
        let (Some(Stream::Clear(mut socket)), true) = (self.stream.take(), self.input.is_empty()) else {
            self.output.clear();
            return self.close(None);
        };
        if !self.allowance.seat.may_shake_hands(&self.peer) {
            return self.close(None);
        }
        let upgraded = tokio::time::timeout(self.limits.handshake, async {
            socket.write_all_buf(self.output.buffer()).await?;
            self.services.accept_tls(socket).await
        });
        match upgraded.await {
            Ok(Ok(stream)) => {
                let facts = Arc::new(tls::facts(stream.get_ref().1));
                self.session.tls_established(facts);
                self.stream = Some(Stream::Tls(Box::new(stream)));
            }
            Ok(Err(error)) => {
                self.tell(&format!("StartTLS handshake failed: {error}"));
                self.close(None);
            }
            Err(_) => {
                self.tell("StartTLS handshake took too long");
                self.close(None);
            }
        }
    }
}
