"""The trainer and its parts; it knows tasks, not models."""
