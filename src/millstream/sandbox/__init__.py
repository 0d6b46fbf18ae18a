"""A HubSpot portal in the box. Shares no code with the product: shared code would share its mistakes."""
