"""The composition root: settings, wiring, serving. The only reader of clock and randomness."""
