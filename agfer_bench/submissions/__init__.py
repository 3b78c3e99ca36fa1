"""Records of other people coming in: found, read within limits, checked."""
