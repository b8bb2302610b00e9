"""How far a verb is, shown in a terminal and in a notebook; elsewhere there is nothing to see."""
