"""MNIST and all that is made from it: single shifted digits and overlapping pairs."""
