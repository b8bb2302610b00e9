"""A trained network on pictures, tiles, videos and cameras, and the files it produces."""
