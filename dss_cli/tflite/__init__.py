"""What a TFLite file holds; nothing in it is run."""
