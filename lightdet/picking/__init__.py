"""Which unlabelled pictures teach a detector most."""
