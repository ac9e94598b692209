"""Anybody's pictures: a folder for each class."""
