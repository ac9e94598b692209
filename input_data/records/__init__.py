"""Record files (TFRecord): paths, frames, what a record holds, reading and writing."""
