"""One module per file format; each defines FORMAT, and adding one needs no edit elsewhere."""
