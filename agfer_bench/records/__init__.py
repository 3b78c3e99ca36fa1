"""What a run leaves behind: its records, their files, older versions, their JSON Schema."""
