"""HTTP bodies: requests are strict, answers are complete."""
