"""Operations of the augmentation of which an image can get some; the configuration is checked with them too."""

# Keys of `augment` in the configuration, and of `AugmentConfig`. Each is an operation unless it is 0 or empty.
OPERATIONS = ("rotation", "shear", "zoom", "shift", "hue", "saturation", "contrast", "brightness")
