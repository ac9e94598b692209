"""CIFAR-10: 32x32 colour images of ten kinds of things."""
