"""Pictures of a network: figures, summaries and the report page."""
