"""Jets: generation, clustering trees, files, and the primary Lund plane."""
