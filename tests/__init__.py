"""A package, so that no installed distribution that ships a package `tests` hides it."""
