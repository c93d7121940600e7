"""Who is connected, and since when."""
