"""HubSpot as a destination: planner, sink, schema, presets."""
