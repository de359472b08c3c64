"""One module per change of the tables, the oldest first."""
