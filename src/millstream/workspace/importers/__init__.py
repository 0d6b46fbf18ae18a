"""Configurations of other products → a configuration of ours. Pure: reading and writing files is the caller's."""
