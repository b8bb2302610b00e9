"""Search for better settings: what is tried, what became of it, and the page that tells."""
