"""Triggers (FQL): the tree, its text, the grammar, the closures, and how Segment's own engine reads an expression."""
