"""The model: VGG16 with an attention block in three places, and the guidance in front of it."""
