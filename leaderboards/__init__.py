"""What a result is worth: scores with errors, tasks, submissions and boards.

Nothing is imported here, so that ``import hepgym`` stays light: take what you need from
``tasks``, ``submission``, ``board`` and ``scores``.
"""
