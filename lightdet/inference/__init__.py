"""A trained network on pictures, tiles, videos and cameras, and what is written about it."""
