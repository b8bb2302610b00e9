"""Progress of the verbs in a terminal and in a notebook; nothing is shown elsewhere."""
