"""HubSpot's HTTP API: requests, answers, errors, budget. Knows nothing of events."""
