"""The verbs, one per file: typed options in, the work, a result out; nothing is printed here."""
