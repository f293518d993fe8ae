//! Payloads as JSON text, written without going through a tree: a busy shop writes a million a second.

/// A JSON object being written.
#[derive(Debug)]
pub(super) struct Payload(Vec<u8>);

impl Payload {
    /// An object that begins with `ts`, `seq` and `boot`, as every device's does.
    pub(super) fn device(ts_ms: i64, seq: u64, boot: u32) -> Self {
        let mut bytes = Vec::with_capacity(224);
        bytes.extend_from_slice(b"{\"ts\":");
        push_integer(&mut bytes, ts_ms.unsigned_abs());
        bytes.extend_from_slice(b",\"seq\":");
        push_integer(&mut bytes, seq);
        bytes.extend_from_slice(b",\"boot\":");
        push_integer(&mut bytes, u64::from(boot));
        Payload(bytes)
    }

    /// An object by itself, of the members that `fill` adds, as JSON text.
    pub(super) fn object_of(fill: impl FnOnce(Self) -> Self) -> String {
        String::from_utf8(fill(Payload(vec![b'{'])).finish()).expect("members are text")
    }

    /// One reading: `"metric":…,"value":…,"unit":…`.
    pub(super) fn reading(self, metric: &str, value: f64, unit: &str) -> Self {
        self.text("metric", metric).number("value", value).text("unit", unit)
    }

    /// Adds a member with a number, to three decimals.
    pub(super) fn number(mut self, name: &str, value: f64) -> Self {
        self.name(name);
        push_decimal(&mut self.0, value);
        self
    }

    /// Adds a member with a whole number that is not negative.
    pub(super) fn integer(mut self, name: &str, value: i64) -> Self {
        self.name(name);
        push_integer(&mut self.0, value.unsigned_abs());
        self
    }

    /// Adds a member with a boolean.
    pub(super) fn flag(mut self, name: &str, value: bool) -> Self {
        self.name(name);
        self.0.extend_from_slice(if value { b"true" } else { b"false" });
        self
    }

    /// Adds a member with a text. Names and texts are the simulator's own: nothing in them needs an escape.
    pub(super) fn text(mut self, name: &str, value: &str) -> Self {
        debug_assert!(!value.contains(['"', '\\']) && !value.contains(char::is_control));
        self.name(name);
        self.0.push(b'"');
        self.0.extend_from_slice(value.as_bytes());
        self.0.push(b'"');
        self
    }

    /// Adds a member with an object of members that `fill` adds.
    pub(super) fn object(mut self, name: &str, fill: impl FnOnce(Self) -> Self) -> Self {
        self.name(name);
        self.0.push(b'{');
        let mut inner = fill(self);
        inner.0.push(b'}');
        inner
    }

    /// Adds a member that is JSON already.
    pub(super) fn raw(mut self, name: &str, json: &str) -> Self {
        self.name(name);
        self.0.extend_from_slice(json.as_bytes());
        self
    }

    /// The bytes of the whole object.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.0.push(b'}');
        self.0
    }

    fn name(&mut self, name: &str) {
        if self.0.last() != Some(&b'{') {
            self.0.push(b',');
        }
        self.0.push(b'"');
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }
}

fn push_integer(bytes: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    bytes.extend_from_slice(&digits[at..]);
}

/// At most three decimals, no trailing zeros.
fn push_decimal(bytes: &mut Vec<u8>, value: f64) {
    let thousandths = (value * 1000.0).round() as i64;
    if thousandths < 0 {
        bytes.push(b'-');
    }
    let thousandths = thousandths.unsigned_abs();
    push_integer(bytes, thousandths / 1000);
    let mut rest = thousandths % 1000;
    if rest == 0 {
        return;
    }
    bytes.push(b'.');
    let mut unit = 100;
    while rest > 0 {
        bytes.push(b'0' + (rest / unit) as u8);
        rest %= unit;
        unit /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_at_most_three_decimals() {
        let written = |value| {
            let mut bytes = Vec::new();
            push_decimal(&mut bytes, value);
            String::from_utf8(bytes).unwrap()
        };
        let cases = [0.0, 7.0, 87.25, 34.5, 0.001, 0.0004, -0.5, -12.345_6, 99.999_9, 1_234_567.05];
        let texts: Vec<String> = cases.into_iter().map(written).collect();
        assert_eq!(texts, ["0", "7", "87.25", "34.5", "0.001", "0", "-0.5", "-12.346", "100", "1234567.05"]);
    }

    #[test]
    fn a_payload_is_one_json_object() {
        let payload = Payload::device(1_767_596_400_123, 18_446_744_073_709_551_615, 3)
            .object("metrics", |metrics| metrics.number("torque", 87.25).flag("ok", true))
            .object("tags", |tags| tags.text("joint", "J01"))
            .raw("steps", "[]")
            .finish();
        let expected = r#"{"ts":1767596400123,"seq":18446744073709551615,"boot":3,"metrics":{"torque":87.25,"ok":true},"tags":{"joint":"J01"},"steps":[]}"#;
        assert_eq!(String::from_utf8(payload).unwrap(), expected);
    }

    proptest::proptest! {
        #[test]
        fn a_number_is_written_to_the_nearest_thousandth(value in -1e9..1e9) {
            let mut bytes = Vec::new();
            push_decimal(&mut bytes, value);
            let read: f64 = std::str::from_utf8(&bytes).unwrap().parse().unwrap();
            proptest::prop_assert!((read - value).abs() <= 0.000_500_1, "{value} as {read}");
        }
    }
}
