//! A broker's URL: host, port, TLS or not; never a password.

use super::mistake::Fault;

/// `source.broker`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broker {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) is_tls: bool,
}

pub(super) fn read_broker(path: &str, text: &str) -> Result<Broker, Fault> {
    let remedy = "write \"mqtt://host:port\", or \"mqtts://host:port\" for TLS";
    if text.contains('@') {
        // Not repeated in the message: a password may stand in it.
        let remedy =
            "take the name and password out of the URL; set `username`, and `password = \"env:NAME\"`";
        return Err(Fault::new(format!("`{path}` holds credentials"), remedy));
    }
    let fault = || Fault::new(format!("`{path}` is no broker's URL: `{text}`"), remedy);
    let (scheme, rest) = text.split_once("://").ok_or_else(fault)?;
    let is_tls = match scheme {
        "mqtt" => false,
        "mqtts" => true,
        _ => return Err(fault()),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let default_port = if is_tls { 8883 } else { 1883 };
    // A colon within brackets belongs to an IPv6 address.
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().map_err(|_| fault())?),
        _ => (rest, default_port),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let is_odd = |c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '[' | ']');
    if host.is_empty() || port == 0 || host.contains(is_odd) {
        return Err(fault());
    }
    Ok(Broker { host: host.to_owned(), port, is_tls })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brokers_url_names_host_port_and_tls() {
        let broker =
            |text| read_broker("source.broker", text).map(|broker| (broker.host, broker.port, broker.is_tls));
        assert_eq!(broker("mqtt://127.0.0.1:1884"), Ok(("127.0.0.1".to_owned(), 1884, false)));
        assert_eq!(broker("mqtts://shop.example/"), Ok(("shop.example".to_owned(), 8883, true)));
        assert_eq!(broker("mqtt://[::1]"), Ok(("::1".to_owned(), 1883, false)));
        assert_eq!(broker("mqtt://[::1]:99"), Ok(("::1".to_owned(), 99, false)));
        for wrong in ["tcp://a:1", "mqtt://", "mqtt://a:0", "mqtt://a:b", "mqtt://a/b", "a:1883"] {
            assert!(broker(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn credentials_in_the_brokers_url_are_refused_and_not_repeated() {
        let fault = read_broker("source.broker", "mqtt://me:hunter2@shop.example").expect_err("refused");
        assert!(!format!("{fault:?}").contains("hunter2"));
    }
}
