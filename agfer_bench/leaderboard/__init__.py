"""From many records, some of them strangers', to a static site."""
