"""Where events go: the kit every destination is made of, the catalog, and HubSpot."""
