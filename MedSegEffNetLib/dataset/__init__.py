"""Data sets: cases, the folder layouts they are read from, splits by patient."""
