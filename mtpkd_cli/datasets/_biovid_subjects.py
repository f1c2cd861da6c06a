"""The 20 BioVid subjects that much of the literature leaves out, since their faces hardly react to the heat.

References:
    Werner et al., "Analysis of Facial Expressiveness During Experimentally Induced Heat Pain", ACIIW 2017.
"""

# fmt: off
NON_REACTIVE = frozenset({
    "082315_w_60", "082414_m_64", "082909_m_47", "083009_w_42", "083013_w_47", "083109_m_60",
    "083114_w_55", "091914_m_46", "092009_m_54", "092014_m_56", "092509_w_51", "092714_m_64",
    "100514_w_51", "100914_m_39", "101114_w_37", "101209_w_61", "101809_m_59", "101916_m_40",
    "111313_m_64", "120614_w_61",
})
# fmt: on
