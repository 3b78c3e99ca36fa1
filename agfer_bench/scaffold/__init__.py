"""A distribution of one's own, written from the templates in `template`."""
