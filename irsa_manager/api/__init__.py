"""What users write and read: types, validation, reasons; the only source of the CRDs."""
