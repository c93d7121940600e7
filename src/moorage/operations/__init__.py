"""What devices are asked to do, and what they answered."""
