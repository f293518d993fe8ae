//! Columns of numbers in durable state: their bytes side by side, little-endian, behind how many bytes these are. What a
//! checkpoint holds many of is copied as it lies in memory, not number by number.
//!
//! For `#[serde(with = "ingest::packed")]` at a `Vec` or a boxed slice.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde::ser::Serializer;

/// A number of a fixed width.
pub trait Number: Copy {
    /// In bytes.
    const WIDTH: usize;
    /// The bytes of all of them.
    fn bytes(column: &[Self]) -> Cow<'_, [u8]>;
    /// Reads it from so many bytes.
    fn get(from: &[u8]) -> Self;
}

macro_rules! numbers {
    ($($kind:ty),*) => {$(
        impl Number for $kind {
            const WIDTH: usize = size_of::<$kind>();

            fn bytes(column: &[Self]) -> Cow<'_, [u8]> {
                let mut bytes = vec![0; size_of_val(column)];
                for (number, into) in column.iter().zip(bytes.as_chunks_mut().0) {
                    *into = number.to_le_bytes();
                }
                Cow::Owned(bytes)
            }

            #[inline]
            fn get(from: &[u8]) -> Self {
                <$kind>::from_le_bytes(from.try_into().expect("as many bytes as it has"))
            }
        }
    )*};
}

numbers!(u16, u32, u64, i64, f64);

impl Number for u8 {
    const WIDTH: usize = 1;

    fn bytes(column: &[u8]) -> Cow<'_, [u8]> {
        Cow::Borrowed(column)
    }

    fn get(from: &[u8]) -> u8 {
        from[0]
    }
}

/// Writes a column.
///
/// # Errors
/// What the serializer says.
pub fn serialize<T: Number, C: AsRef<[T]>, S: Serializer>(
    column: &C,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(&T::bytes(column.as_ref()))
}

/// Reads [`serialize`]'s bytes.
///
/// # Errors
/// Bytes that are no whole numbers.
pub fn deserialize<'de, T: Number, C: From<Vec<T>>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<C, D::Error> {
    deserializer.deserialize_bytes(Column(PhantomData)).map(C::from)
}

struct Column<T>(PhantomData<T>);

impl<'de, T: Number> Visitor<'de> for Column<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "numbers of {} bytes each", T::WIDTH)
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<T>, E> {
        if !bytes.len().is_multiple_of(T::WIDTH) {
            return Err(E::invalid_length(bytes.len(), &self));
        }
        Ok(bytes.chunks_exact(T::WIDTH).map(T::get).collect())
    }

    /// Formats that know no bytes, such as JSON, give them one by one.
    fn visit_seq<A: SeqAccess<'de>>(self, mut bytes: A) -> Result<Vec<T>, A::Error> {
        let mut all: Vec<u8> = Vec::with_capacity(bytes.size_hint().unwrap_or_default().min(1 << 16));
        while let Some(byte) = bytes.next_element()? {
            all.push(byte);
        }
        self.visit_bytes(&all)
    }
}

#[cfg(test)]
mod tests {

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Columns {
        #[serde(with = "super")]
        times: Vec<i64>,
        #[serde(with = "super")]
        prints: Box<[u32]>,
        #[serde(with = "super")]
        values: Vec<f64>,
    }

    fn columns() -> Columns {
        Columns {
            times: vec![i64::MIN, -1, 1_772_445_600_000],
            prints: Box::new([7, u32::MAX]),
            values: vec![-0.0, 80.25],
        }
    }

    #[test]
    fn columns_come_back_as_they_were() {
        let bytes = postcard::to_allocvec(&columns()).expect("written");
        assert_eq!(bytes.len(), (1 + 24) + (1 + 8) + (1 + 16), "their bytes, and how many");
        assert_eq!(postcard::from_bytes::<Columns>(&bytes).expect("read"), columns());
        let text = serde_json::to_string(&columns()).expect("written");
        assert_eq!(serde_json::from_str::<Columns>(&text).expect("read"), columns());
    }

    #[test]
    fn half_a_number_is_an_error() {
        let mut bytes = postcard::to_allocvec(&columns()).expect("written");
        bytes[0] = 23;
        assert!(postcard::from_bytes::<Columns>(&bytes).is_err());
    }
}
