"""One read/write pair a label format; inside there is one box convention (`lightdet.structures`)."""
