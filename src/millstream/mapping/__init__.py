"""The mapping language and the trigger grammar (FQL). Pure."""
