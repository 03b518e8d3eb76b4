"""What the section Correct is made of."""
