"""One read/write pair per label format; internally there is one box convention (`lightdet.structures`)."""
