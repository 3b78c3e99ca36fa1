"""Jobs in this process or in several: the queue, the workers, what travels between them."""
