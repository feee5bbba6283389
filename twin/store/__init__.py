"""What the head end keeps: readings on disk, received once, counted once, and what follows from them."""
