"""Patients that never lived: made from recipes, the same each time."""
