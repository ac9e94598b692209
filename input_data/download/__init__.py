"""Fetches raw data sets: `python -m input_data.download`."""
