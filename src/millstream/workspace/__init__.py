"""What the user configured in millstream.yaml: model, load, lint."""
