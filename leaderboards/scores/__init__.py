"""One module per kind of task; ``hepgym.leaderboards.tasks.ScoreModule`` says what it holds."""
