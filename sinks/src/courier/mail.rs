//! Mail: each item of channel `mail` is a letter, handed to the shop's own server over SMTP.
//!
//! A letter is made of its item alone, so a repeat is the same to the byte, `Message-ID` and `Date` with it, and a
//! receiver can tell that it has it. Names and texts come from outside: they are encoded as text of a header or of the body,
//! and never begin a header or another recipient.
//!
//! Until its content is on the way a letter has certainly not arrived, whatever goes wrong; from then on the server alone
//! knows, until it answers.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use ingest::config::Secret;
use lettre::Address;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{Certificate, SmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};

use super::parcel::{self, Outcome, Stored};

/// Channel of the items that are letters.
const CHANNEL: &str = "mail";
/// A longer first line is cut where it is the subject.
const SUBJECT_CHARS_MAX: usize = 150;
/// How long a server that has the letter may take to say good-bye.
const QUIT_PATIENCE: Duration = Duration::from_secs(1);
/// The last second of which mail's form of a date can speak.
const DATE_MS_MAX: i64 = 253_402_300_799_000;

/// Where letters are handed in, and by whom.
#[derive(Clone, Debug)]
pub struct Mail {
    pub host: String,
    pub port: u16,
    pub security: Security,
    /// Name and password.
    pub login: Option<(String, Secret)>,
    /// PEM file of an authority to trust beside the system's.
    pub authority: Option<PathBuf>,
    pub from: Sender,
}

/// Who may read along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte: `smtps://`.
    Tls,
    /// TLS by STARTTLS; without it nothing is sent.
    StartTls,
    /// TLS where the server offers it.
    StartTlsIfOffered,
}

/// Who letters are from, such as `Workshop <shop@example.com>`.
#[derive(Clone, Debug)]
pub struct Sender(Mailbox);

impl FromStr for Sender {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains(char::is_control) {
            return Err("it holds line breaks".into());
        }
        text.parse().map(Sender).map_err(|error: lettre::address::AddressError| error.to_string())
    }
}

/// One letter.
#[derive(Debug)]
pub(super) struct Letter {
    from: Address,
    to: Address,
    content: Vec<u8>,
}

impl Letter {
    /// Whether an item is to be one.
    pub(super) fn is_for(stored: &Stored) -> bool {
        stored.text("channel").as_deref() == Some(CHANNEL)
    }

    /// The item as a letter.
    ///
    /// # Errors
    /// Why it can be none; the address is not repeated.
    pub(super) fn new(mail: &Mail, queue: &str, stored: &Stored) -> Result<Letter, String> {
        let address = stored.text("address").filter(|address| !address.contains(char::is_control));
        let address: Option<Address> = address.and_then(|address| address.parse().ok());
        let Some(to) = address else {
            return Err(format!("its address is none of mail; see item {} of `{queue}`", stored.offset));
        };
        let text = stored.text("text").unwrap_or_default();
        let since_1970 = Duration::from_millis(stored.ts_ms.clamp(0, DATE_MS_MAX).unsigned_abs());
        // Nobody's holiday answers it.
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        let message = Message::builder()
            .from(mail.from.0.clone())
            .to(Mailbox::new(None, to.clone()))
            .subject(subject(&text, &stored.kind))
            .date(SystemTime::UNIX_EPOCH + since_1970)
            .message_id(Some(format!("<{}@{queue}.andon>", stored.hash)))
            .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
            .header(ContentType::TEXT_PLAIN)
            .body(text)
            .map_err(|error| format!("it makes no mail: {error}"))?;
        Ok(Letter { from: mail.from.0.email.clone(), to, content: message.formatted() })
    }

    /// Hands it over and waits for the answer, all together for so long.
    pub(super) async fn send(self, mail: &Mail, timeout: Duration) -> Outcome {
        // Set by whoever comes first: the content goes out, or nobody waits for it any more.
        let decided = Arc::new(AtomicBool::new(false));
        let (mail, of_thread) = (mail.clone(), Arc::clone(&decided));
        let begun = parcel::begin("andon-mail", move || self.hand_over(&mail, timeout, &of_thread));
        let answered = match begun {
            Ok(answered) => answered,
            Err(outcome) => return outcome,
        };
        match tokio::time::timeout(timeout, answered).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Outcome::InDoubt("sending broke off".into()),
            Err(_) if !decided.swap(true, Ordering::SeqCst) => {
                Outcome::NotTaken(format!("the server was not ready to take it within {timeout:?}"))
            }
            Err(_) => Outcome::InDoubt(format!("the server did not say within {timeout:?} that it has it")),
        }
    }

    fn hand_over(&self, mail: &Mail, timeout: Duration, decided: &AtomicBool) -> Outcome {
        let mut connection = match self.ready(mail, timeout) {
            Ok(connection) => connection,
            Err(outcome) => return outcome,
        };
        if decided.swap(true, Ordering::SeqCst) {
            return Outcome::NotTaken("nobody waits for it any more".into());
        }
        match connection.message(&self.content) {
            Ok(response) => {
                let said = response.first_line().unwrap_or_default();
                let said = format!("{} {said}", response.code()).trim_end().to_owned();
                // It is taken, whatever becomes of the connection.
                if connection.set_timeout(Some(QUIT_PATIENCE)).is_ok() {
                    let _ = connection.quit();
                }
                Outcome::Taken(said)
            }
            Err(error) if error.is_transient() || error.is_permanent() => refused(&error),
            Err(error) => Outcome::InDoubt(format!("it was sent, and then: {error}")),
        }
    }

    /// A connection on which nothing lacks but the content.
    fn ready(&self, mail: &Mail, timeout: Duration) -> Result<SmtpConnection, Outcome> {
        let refused = |error: Error| refused(&error);
        let hello = mail.hello();
        let tls = mail.tls().map_err(Outcome::NotTaken)?;
        let at_once = (mail.security == Security::Tls).then_some(&tls);
        let server = (mail.host.as_str(), mail.port);
        let mut connection =
            SmtpConnection::connect(server, Some(timeout), &hello, at_once, None).map_err(refused)?;
        if connection.can_starttls() {
            connection.starttls(&tls, &hello).map_err(refused)?;
        } else if mail.security == Security::StartTls {
            let why =
                "the server offers no STARTTLS; nothing is sent in the clear unless `starttls = \"offered\"`";
            return Err(Outcome::NotTaken(why.into()));
        }
        if let Some((name, password)) = &mail.login {
            let credentials = Credentials::new(name.clone(), password.0.clone());
            connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).map_err(refused)?;
        }
        let mut parameters = Vec::new();
        let knows = |extension| connection.server_info().supports_feature(extension);
        if [&self.from, &self.to].into_iter().any(|address| !address.to_string().is_ascii()) {
            if !knows(Extension::SmtpUtfEight) {
                let why = "its address needs SMTPUTF8, which the server does not know";
                return Err(Outcome::Refused(why.into()));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if !self.content.is_ascii() && knows(Extension::EightBitMime) {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        connection.command(MailFrom::new(Some(self.from.clone()), parameters)).map_err(refused)?;
        connection.command(Rcpt::new(self.to.clone(), Vec::new())).map_err(refused)?;
        let answer = connection.command(Data).map_err(refused)?;
        if !answer.has_code(354) {
            return Err(Outcome::NotTaken(format!("the server answers DATA with {}", answer.code())));
        }
        Ok(connection)
    }
}

impl Mail {
    /// As whom we greet: the domain of our own address.
    fn hello(&self) -> ClientId {
        let domain = self.from.0.email.domain();
        if domain.is_ascii() { ClientId::Domain(domain.to_owned()) } else { ClientId::default() }
    }

    fn tls(&self) -> Result<TlsParameters, String> {
        let failed = |error: Error| format!("TLS cannot be set up: {error}");
        let mut tls = TlsParameters::builder(self.host.clone());
        if let Some(authority) = &self.authority {
            let unread = |error| format!("authority {} cannot be read: {error}", authority.display());
            let pem = std::fs::read(authority).map_err(unread)?;
            tls = tls.add_root_certificate(Certificate::from_pem(&pem).map_err(failed)?);
        }
        tls.build().map_err(failed)
    }
}

/// What an error says before the content has gone out, or one that is an answer.
fn refused(error: &Error) -> Outcome {
    if error.is_permanent() {
        Outcome::Refused(error.to_string())
    } else {
        Outcome::NotTaken(error.to_string())
    }
}

/// The first line that says something.
fn subject(text: &str, kind: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or(kind);
    let mut subject: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if let Some((cut, _)) = subject.char_indices().nth(SUBJECT_CHARS_MAX) {
        subject.truncate(cut);
        subject.push('…');
    }
    subject
}

#[cfg(test)]
mod tests;
