//! A connection to a broker: TCP or TLS, bytes in and out.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use rumqttc::tokio_rustls::TlsConnector;
use rumqttc::{ConnAck, ConnectReturnCode, Packet};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::frame::{Frame, Unread};

/// To connect, shake hands and be answered.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A broker that takes nothing for so long is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Where to connect to, and how.
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: Option<Arc<ClientConfig>>,
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.tls.is_some() { "mqtts" } else { "mqtt" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

/// An open connection.
pub(super) struct Wire {
    stream: Box<dyn Stream>,
    unwritten: BytesMut,
}

impl Wire {
    /// Connects, sends `connect` and waits for a good answer.
    ///
    /// # Errors
    /// In words for `/readyz`, with the setting to look at.
    pub(super) async fn open(
        address: &Address,
        connect: Packet,
        unread: &mut Unread,
    ) -> Result<(Wire, ConnAck), String> {
        let opened = timeout(CONNECT_TIMEOUT, Wire::try_open(address, connect, unread)).await;
        opened.unwrap_or_else(|_| Err(format!("no answer within {} s", CONNECT_TIMEOUT.as_secs())))
    }

    async fn try_open(
        address: &Address,
        connect: Packet,
        unread: &mut Unread,
    ) -> Result<(Wire, ConnAck), String> {
        let text = |error: io::Error| error.to_string();
        let tcp = TcpStream::connect((address.host.as_str(), address.port)).await.map_err(text)?;
        tcp.set_nodelay(true).map_err(text)?;
        let stream: Box<dyn Stream> = match &address.tls {
            None => Box::new(tcp),
            Some(config) => {
                let text = |error: &dyn std::fmt::Display| format!("TLS: {error}; check `[source.tls]`");
                let name = ServerName::try_from(address.host.clone()).map_err(|error| text(&error))?;
                let connector = TlsConnector::from(Arc::clone(config));
                Box::new(connector.connect(name, tcp).await.map_err(|error| text(&error))?)
            }
        };
        let mut wire = Wire { stream, unwritten: BytesMut::new() };
        wire.put(&connect);
        wire.flush().await.map_err(text)?;
        unread.clear();
        loop {
            wire.fill(unread).await.map_err(text)?;
            if let Some(frame) = unread.next().map_err(|error| error.to_string())? {
                let answer = answer_of(&frame)?;
                return Ok((wire, answer));
            }
        }
    }

    /// Reads what is there, or waits for it. May be cancelled.
    pub(super) async fn fill(&mut self, unread: &mut Unread) -> io::Result<()> {
        match self.stream.read(unread.room()).await? {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the broker closed the connection")),
            bytes => {
                unread.filled(bytes);
                Ok(())
            }
        }
    }

    /// Puts a packet behind those not written yet.
    pub(super) fn put(&mut self, packet: &Packet) {
        packet.write(&mut self.unwritten, usize::MAX).expect("what we send is well-formed");
    }

    /// Puts a PUBACK behind what is not written yet.
    #[inline]
    pub(super) fn put_acknowledgement(&mut self, packet_id: u16) {
        let [high, low] = packet_id.to_be_bytes();
        self.unwritten.put_slice(&[0x40, 2, high, low]);
    }

    /// Writes all that was put. May be cancelled: the next time goes on where this one was.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        let Wire { stream, unwritten } = self;
        let written = timeout(WRITE_TIMEOUT, async {
            stream.write_all_buf(unwritten).await?;
            stream.flush().await
        });
        let too_slow = "the broker took nothing for 5 s";
        written.await.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, too_slow)))
    }
}

fn answer_of(frame: &Frame<'_>) -> Result<ConnAck, String> {
    let packet = match frame {
        Frame::Publish(_) => return Err("the broker answered CONNECT with a message".to_owned()),
        Frame::Other(bytes) => Packet::read(&mut BytesMut::from(*bytes), usize::MAX),
    };
    match packet {
        Ok(Packet::ConnAck(answer)) if answer.code == ConnectReturnCode::Success => Ok(answer),
        Ok(Packet::ConnAck(answer)) => Err(refusal(answer.code)),
        Ok(packet) => Err(format!("the broker answered CONNECT with {packet:?}")),
        Err(error) => Err(format!("the broker's answer to CONNECT is malformed: {error}")),
    }
}

fn refusal(code: ConnectReturnCode) -> String {
    match code {
        ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized => {
            "the broker does not accept the user; check `username` and `password` in `[source]`".to_owned()
        }
        ConnectReturnCode::BadClientId => {
            "the broker does not accept the client id; check `client_id` in `[source]`".to_owned()
        }
        code => format!("the broker refused the connection ({code:?})"),
    }
}
