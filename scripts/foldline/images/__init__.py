"""Image files: headers, decoding, resizing, perceptual hashes."""
