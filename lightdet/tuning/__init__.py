"""Search for better settings: what is tried, the results, and the page."""
