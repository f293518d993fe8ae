use super::*;

#[test]
fn numbers_say_where_their_unit_stands() {
    let said = |schema: &SchemaRef, column: &str| {
        let field = schema.field_with_name(column).expect("there");
        let mut said: Vec<_> = field.metadata().iter().map(|(key, unit)| format!("{key}={unit}")).collect();
        said.sort();
        said.join(" ")
    };
    assert_eq!(said(&STEPS, "elapsed_s"), "unit=s");
    assert_eq!(said(&STEPS, "standard_s"), "unit=s");
    assert_eq!(said(&TELEMETRY, "value"), "unit_column=unit");
    assert_eq!(said(&USAGE, "planned"), "unit_column=unit");
    assert_eq!(said(&USAGE, "readings"), "");
    assert_eq!(said(&CHECKS, "spec_max"), "unit_column=unit");
    assert_eq!(said(&CHECKS, "missing"), "");
}
