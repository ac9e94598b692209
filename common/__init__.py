"""What every part of the program builds on; knows nothing of capsules."""
