"""What browser and mobile SDKs fetch: settings documents, SDK files, the plugin for HubSpot's tracking code."""
