"""The joint teacher itself, given zeros for the privileged modalities; nothing is trained.

L = task, with which the joint teacher was trained. At test it reads zeros wherever a privileged feature would be,
for as many steps as the median training sample has: what a multimodal model is worth when its other sensors are missing
and nobody distilled it.

Source: a common baseline; the released code of Aslam et al. 2024 (arXiv 2408.09035) validates its joint teacher with
the physiology zeroed.
"""

IMPUTE = "zero"
