"""What the section Train is made of."""
