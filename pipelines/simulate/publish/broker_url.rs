//! Where a broker is, as people type it.

use std::fmt;
use std::str::FromStr;

/// Where a broker is: `mqtt://[user:password@]host[:port]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerUrl {
    pub host: String,
    pub port: u16,
    login: Option<Login>,
}

#[derive(Clone, PartialEq, Eq)]
struct Login {
    user: String,
    password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({}, …)", self.user)
    }
}

impl BrokerUrl {
    /// User and password.
    pub(super) fn login(&self) -> Option<(&str, &str)> {
        self.login.as_ref().map(|login| (login.user.as_str(), login.password.as_str()))
    }

    /// A broker without login.
    #[must_use]
    pub fn new(host: &str, port: u16) -> Self {
        BrokerUrl { host: host.to_owned(), port, login: None }
    }
}

impl FromStr for BrokerUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "write mqtt://host:port, such as mqtt://localhost:1883";
        let rest = match text.split_once("://") {
            Some(("mqtt" | "tcp", rest)) => rest,
            Some((other, _)) => return Err(format!("{other}:// is not spoken here; {form}")),
            None => text,
        };
        let rest = rest.trim_end_matches('/');
        let (login, place) = match rest.rsplit_once('@') {
            Some((login, place)) => {
                let (user, password) = login.split_once(':').unwrap_or((login, ""));
                (Some(Login { user: user.to_owned(), password: password.to_owned() }), place)
            }
            None => (None, rest),
        };
        // An IPv6 address stands in brackets.
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (place, None),
        };
        let port =
            port.map_or(Ok(1883), |port| port.parse().map_err(|_| format!("{port:?} is no port; {form}")))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || host.contains('/') {
            return Err(format!("{text:?} names no host; {form}"));
        }
        Ok(BrokerUrl { host: host.to_owned(), port, login })
    }
}

impl fmt::Display for BrokerUrl {
    /// Without the login.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mqtt://{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broker_urls_are_read() {
        let broker: BrokerUrl = "mqtt://lamp:bright:er@shop.example:8883/".parse().unwrap();
        assert_eq!((broker.host.as_str(), broker.port), ("shop.example", 8883));
        assert!(!format!("{broker} {broker:?}").contains("bright"), "passwords are not shown");
        assert_eq!("localhost".parse(), Ok(BrokerUrl::new("localhost", 1883)));
        assert_eq!("mqtt://[::1]:1884".parse(), Ok(BrokerUrl::new("::1", 1884)));
        for text in ["http://a", "mqtts://a", "mqtt://", "mqtt://a:b", "mqtt://a/b"] {
            assert!(text.parse::<BrokerUrl>().unwrap_err().contains("mqtt://host:port"), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_url_or_refused_with_the_way_to_write_it(text in ".{0,40}|(mqtt://)?[a-z@:/.\\[\\]0-9]{0,20}") {
            match text.parse::<BrokerUrl>() {
                Ok(broker) => proptest::prop_assert!(!broker.host.is_empty()),
                Err(message) => proptest::prop_assert!(message.contains("mqtt://host:port")),
            }
        }
    }
}
