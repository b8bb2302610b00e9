"""Where results go: each sink takes them from the ledger's spool in a thread of its own."""
