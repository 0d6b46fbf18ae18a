"""The one place that knows the order of the stages between log and delivery."""
