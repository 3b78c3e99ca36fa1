"""What a network costs: size, speed, memory."""
