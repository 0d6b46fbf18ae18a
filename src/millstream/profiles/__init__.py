"""Persons and accounts: identity, traits by event time, merging. Pure decisions and a repository port."""
