"""What a run does: training, evaluation. Importable; takes arguments, reads no flags."""
