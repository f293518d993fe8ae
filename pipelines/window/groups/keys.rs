//! Keys as bytes that sort as the keys do: arrow's row format, a column behind the other.

use arrow::array::{Array, ArrayRef, AsArray, new_null_array};
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, Schema, SchemaRef, UInt32Type};
use arrow::row::{RowConverter, SortField};
use datafusion::common::Result;

/// How keys of some columns are encoded; names in dictionaries are taken out of them.
#[derive(Debug)]
pub(crate) struct KeyFormat {
    schema: SchemaRef,
    whole: RowConverter,
    /// The same, a column each: a key is what they give, one behind the other.
    columns: Vec<RowConverter>,
}

impl KeyFormat {
    pub(crate) fn new(schema: SchemaRef) -> Result<Self> {
        let fields = schema.fields().iter().map(|field| SortField::new(flat(field.data_type())));
        let fields: Vec<SortField> = fields.collect();
        let columns = fields.iter().map(|field| RowConverter::new(vec![field.clone()]));
        let columns = columns.collect::<Result<_, _>>()?;
        Ok(KeyFormat { schema, whole: RowConverter::new(fields)?, columns })
    }

    /// The columns of keys.
    pub(crate) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The keys that are the rows of `columns`.
    pub(crate) fn encode(&self, columns: &[ArrayRef]) -> Result<EncodedKeys> {
        let columns = columns.iter().zip(&self.columns).zip(self.schema.fields()).map(
            |((column, converter), field)| EncodedColumn::new(column, converter, &flat(field.data_type())),
        );
        Ok(EncodedKeys { columns: columns.collect::<Result<_>>()? })
    }

    /// Keys as columns again, without dictionaries.
    pub(crate) fn decode<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) -> Result<Vec<ArrayRef>> {
        let parser = self.whole.parser();
        Ok(self.whole.convert_rows(keys.map(|key| parser.parse(key)))?)
    }
}

/// The keys of some rows.
#[derive(Debug)]
pub(crate) struct EncodedKeys {
    columns: Vec<EncodedColumn>,
}

impl EncodedKeys {
    /// Appends the key of a row to `bytes`.
    #[inline]
    pub(crate) fn write(&self, row: usize, bytes: &mut Vec<u8>) {
        for column in &self.columns {
            let place = column.places.as_ref().map_or(row, |places| places[row] as usize);
            bytes.extend_from_slice(&column.bytes[column.ends[place]..column.ends[place + 1]]);
        }
    }
}

/// A column, each of its values encoded once.
#[derive(Debug)]
struct EncodedColumn {
    bytes: Vec<u8>,
    /// Ends of the values in them, behind a zero.
    ends: Vec<usize>,
    /// Which of the values each row has; that of its own if `None`.
    places: Option<Vec<u32>>,
}

impl EncodedColumn {
    fn new(column: &ArrayRef, converter: &RowConverter, kind: &DataType) -> Result<Self> {
        let Some(names) = column.as_dictionary_opt::<UInt32Type>() else {
            return Self::of_values(cast(column, kind)?, None, converter);
        };
        let mut values = cast(names.values(), kind)?;
        let mut places = names.keys().values().to_vec();
        if names.keys().null_count() > 0 {
            // What is null is the value behind all others.
            let null = u32::try_from(values.len()).expect("numbered in u32");
            values = concat(&[&values, &new_null_array(kind, 1)])?;
            let of_rows = places.iter_mut().enumerate();
            of_rows.filter(|(row, _)| names.keys().is_null(*row)).for_each(|(_, place)| *place = null);
        }
        Self::of_values(values, Some(places), converter)
    }

    fn of_values(values: ArrayRef, places: Option<Vec<u32>>, converter: &RowConverter) -> Result<Self> {
        let rows = converter.convert_columns(&[values])?;
        let (mut bytes, mut ends) = (Vec::new(), Vec::with_capacity(rows.num_rows() + 1));
        ends.push(0);
        for row in &rows {
            bytes.extend_from_slice(row.data());
            ends.push(bytes.len());
        }
        Ok(EncodedColumn { bytes, ends, places })
    }
}

fn flat(kind: &DataType) -> DataType {
    match kind {
        DataType::Dictionary(_, value) => value.as_ref().clone(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray};
    use arrow::datatypes::Field;

    use super::*;

    #[test]
    fn a_key_is_the_same_whether_its_names_stand_in_a_dictionary_or_not() {
        let names: ArrayRef = Arc::new(StringArray::from(vec![Some("B2"), None, Some("B1"), Some("B2")]));
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(3), Some(-1), None, Some(3)]));
        let dictionary = DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8));
        let schema = Schema::new(vec![
            Field::new("bay", dictionary.clone(), true),
            Field::new("number", DataType::Int64, true),
        ]);
        let format = KeyFormat::new(Arc::new(schema)).expect("a format");
        let plain = [Arc::clone(&names), Arc::clone(&numbers)];
        let whole = format.whole.convert_columns(&plain).expect("rows");
        for columns in [plain.clone(), [cast(&names, &dictionary).expect("a dictionary"), numbers]] {
            let keys = format.encode(&columns).expect("keys");
            for row in 0..names.len() {
                let mut key = Vec::new();
                keys.write(row, &mut key);
                assert_eq!(key, whole.row(row).data(), "row {row}");
            }
        }
        let back = format.decode(
            whole.iter().map(|row| row.data().to_vec()).collect::<Vec<_>>().iter().map(Vec::as_slice),
        );
        assert_eq!(back.expect("columns"), plain);
    }
}
