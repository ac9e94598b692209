"""What was trained, by which command, at what cost, and what came of it."""
