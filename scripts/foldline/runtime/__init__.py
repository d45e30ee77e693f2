"""TensorFlow, the devices it computes on, and the precision."""
