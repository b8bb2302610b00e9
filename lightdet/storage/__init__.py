"""Files by URL and in archives: read, listed, kept, written; fsspec is imported only for a URL (docs/adr/0027)."""
