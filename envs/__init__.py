"""The games: one package per family of registered environments."""
