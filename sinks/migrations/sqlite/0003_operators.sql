-- What people have done about an exception; nulls where nobody has done anything.
ALTER TABLE exceptions ADD COLUMN operator_state TEXT;
ALTER TABLE exceptions ADD COLUMN operator_since_ms INTEGER;
ALTER TABLE exceptions ADD COLUMN actor TEXT;
ALTER TABLE exceptions ADD COLUMN operator_reason TEXT;
ALTER TABLE exceptions ADD COLUMN shelved_until_ms INTEGER;

ALTER TABLE staged_exceptions ADD COLUMN operator_state;
ALTER TABLE staged_exceptions ADD COLUMN operator_since_ms;
ALTER TABLE staged_exceptions ADD COLUMN actor;
ALTER TABLE staged_exceptions ADD COLUMN operator_reason;
ALTER TABLE staged_exceptions ADD COLUMN shelved_until_ms;
