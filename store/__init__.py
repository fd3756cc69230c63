"""What lasts: tables, migrations, the engine, blobs by content hash, settings, the error tree."""
