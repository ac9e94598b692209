"""smallNORB: stereo pairs of toys of five categories, from raw files to features."""
