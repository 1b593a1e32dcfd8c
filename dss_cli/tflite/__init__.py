"""Reading TFLite files without running them."""
