"""What is known of a data set's pictures: copies, labels that contradict, quality, a manifest."""
