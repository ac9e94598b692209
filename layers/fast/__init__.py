"""The numbers of `layers` with less work."""
