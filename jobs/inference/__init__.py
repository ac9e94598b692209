"""Jobs that need a trained network and no data set."""
