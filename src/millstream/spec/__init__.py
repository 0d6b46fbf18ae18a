"""The Segment spec as frozen types: events, timestamps, parsing. Pure; imports nothing of ours."""
