"""The leaderboard service: boards behind an HTTP server, with workers that check every entry.

The folder of boards stays the source of truth; the database holds accounts, the queue, and an
index of the boards that can be made again from the folder at any time. Nothing is imported here:
``commands`` is what the command line calls.
"""
