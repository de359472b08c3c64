"""Reference agents and models, one folder for each task."""
