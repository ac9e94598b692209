"""affNIST: MNIST digits under small affine transformations, for testing."""
