"""From records and kept pictures to a data set for the next training."""
