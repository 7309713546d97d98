"""Declarations, one vendor a file: each lists its providers in PROVIDERS. The facts are those of `source`."""
