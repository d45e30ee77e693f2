"""The library that the step scripts share.

Light modules never import TensorFlow; the modules of the TensorFlow half are `datasets`, `augment`, `backbones`,
`heads`, `losses`, `schedules`, `training`, `prediction` and `devices`.
"""
