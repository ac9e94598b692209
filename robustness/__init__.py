"""Wrong flags, damaged files, hostile input and faults."""
