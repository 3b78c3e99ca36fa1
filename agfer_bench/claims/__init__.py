"""Published summaries of accuracies: what they can carry, and how their designs differ."""
