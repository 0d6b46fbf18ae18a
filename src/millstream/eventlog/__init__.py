"""The durable log of events, and what the processor found out about each (annotations)."""
