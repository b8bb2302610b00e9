"""Every inspection on record, in SQLite or PostgreSQL."""
