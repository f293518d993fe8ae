//! Any content of a column reads back as it was, by the parquet crate's own reader.

use arrow::array::Int64Array;
use proptest::prelude::*;

use super::*;
use crate::parquet::file::FileWriter;

/// A file of one column, in batches and row groups as given; read back as one array.
fn round_trip(field: Field, batches: &[ArrayRef], group_batches: usize) -> ArrayRef {
    let schema = Schema::new(vec![field]);
    let shape = Arc::new(Shape::new(&schema).expect("a type with a place in Parquet"));
    let mut file = FileWriter::new(Arc::clone(&shape), Vec::new()).expect("begins");
    for (index, batch) in batches.iter().enumerate() {
        let batch =
            RecordBatch::try_new(Arc::new(schema.clone()), vec![Arc::clone(batch)]).expect("one column");
        file.write(&shape.fit(&batch).expect("fits")).expect("writes");
        if index % group_batches == group_batches - 1 {
            file.end_group().expect("ends a row group");
        }
    }
    let bytes = Bytes::from(file.close(Vec::new()).expect("ends"));
    let read = read(bytes);
    let columns: Vec<&dyn Array> = read.iter().map(|batch| batch.column(0).as_ref()).collect();
    arrow::compute::concat(&columns).expect("of one type")
}

fn joined(batches: &[ArrayRef]) -> ArrayRef {
    let batches: Vec<&dyn Array> = batches.iter().map(AsRef::as_ref).collect();
    arrow::compute::concat(&batches).expect("of one type")
}

/// Numbers as devices send them: steps small and large, the ends of the range, gaps.
fn numbers() -> impl Strategy<Value = Vec<Vec<Option<i64>>>> {
    let number = prop_oneof![
        6 => (0_i64..1_000).prop_map(|step| Some(NOON_MS + step)),
        2 => any::<i64>().prop_map(Some),
        1 => prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(0)].prop_map(Some),
        1 => Just(None),
    ];
    let batch = prop_oneof![
        3 => prop::collection::vec(number, 1..300),
        1 => prop::collection::vec(any::<i32>().prop_map(|number| Some(i64::from(number))), 1..300),
        1 => (1_usize..300).prop_map(|count| vec![None; count]),
    ];
    prop::collection::vec(batch, 1..6)
}

fn texts() -> impl Strategy<Value = Vec<Vec<Option<String>>>> {
    let text = prop_oneof![
        4 => (0_u64..3_000).prop_map(|row| Some(format!("{row:012x}-0"))),
        2 => "[a-cä]{0,20}".prop_map(Some),
        1 => Just(None),
    ];
    prop::collection::vec(prop::collection::vec(text, 1..200), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn numbers_and_times_read_back(batches in numbers(), group_batches in 1_usize..4) {
        let signed: Vec<ArrayRef> =
            batches.iter().map(|batch| Arc::new(Int64Array::from(batch.clone())) as ArrayRef).collect();
        let of = |kind: &DataType| -> Vec<ArrayRef> {
            let turned = batches.iter().map(|batch| -> ArrayRef {
                match kind {
                    DataType::UInt64 => Arc::new(batch.iter().map(|n| n.map(|n| n as u64)).collect::<UInt64Array>()),
                    _ => Arc::new(TimestampMillisecondArray::from(batch.clone()).with_timezone("UTC")),
                }
            });
            turned.collect()
        };
        let time = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
        let cases = [(DataType::Int64, signed), (DataType::UInt64, of(&DataType::UInt64)), (time.clone(), of(&time))];
        for (kind, given) in cases {
            let seen = round_trip(Field::new("number", kind, true), &given, group_batches);
            prop_assert_eq!(&seen, &joined(&given));
        }
    }

    #[test]
    fn ids_and_names_read_back(batches in texts(), group_batches in 1_usize..4) {
        let plain: Vec<ArrayRef> =
            batches.iter().map(|batch| Arc::new(StringArray::from(batch.clone())) as ArrayRef).collect();
        let named = |batch: &Vec<Option<String>>| -> ArrayRef {
            Arc::new(batch.iter().map(Option::as_deref).collect::<DictionaryArray<UInt32Type>>())
        };
        let names: Vec<ArrayRef> = batches.iter().map(named).collect();
        for (name, kind, given) in [("row_id", DataType::Utf8, &plain), ("job", name_type(), &names)] {
            let seen = round_trip(Field::new(name, kind, true), given, group_batches);
            prop_assert_eq!(&seen, &joined(&plain));
        }
    }
}

#[test]
fn bounds_of_unsigned_numbers_are_unsigned() {
    let field = Field::new("message", DataType::UInt64, false);
    let shape = Arc::new(Shape::new(&Schema::new(vec![field])).expect("a type with a place in Parquet"));
    let mut file = FileWriter::new(Arc::clone(&shape), Vec::new()).expect("begins");
    let numbers: ArrayRef = Arc::new(UInt64Array::from(vec![7, u64::MAX, 3]));
    file.write(&RecordBatch::try_new(Arc::clone(&shape.rows), vec![numbers]).expect("one column"))
        .expect("writes");
    let bytes = Bytes::from(file.close(Vec::new()).expect("ends"));
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).expect("a whole file");
    let statistics = builder.metadata().row_group(0).column(0).statistics().expect("there");
    assert_eq!(statistics.min_bytes_opt(), Some(3_u64.to_le_bytes().as_slice()));
    assert_eq!(statistics.max_bytes_opt(), Some(u64::MAX.to_le_bytes().as_slice()));
}
