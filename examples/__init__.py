"""Programs and a notebook to start from."""
