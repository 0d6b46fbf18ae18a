"""One file per family of SDKs: its wire format becomes Segment-spec events."""
