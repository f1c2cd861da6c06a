"""Distillation methods: one file each, batch + bank -> named loss terms.

Legend: B batch, d embedding size, C classes or targets, K teachers. A file has a docstring (first line = help text,
then formula and source) and is one of three kinds. A method is fitted with its own terms:

    TNET   "fitted" if the student starts from the T-Net that was fitted to privileged embeddings, "untrained" if the
           method is not to know them
    terms  (Lesson, *, options with defaults) -> {name: Term}; the sum of weight x value is the loss. Options are plain
           values; `distill.<option>` in study.toml sets one for all methods that have it,
           `distill.method.<name>.<option>` for one method.
    GRID   optional; option -> values that are tried beside the study's own where `distill.candidates` is above 1
    GUARD  optional; with `distill.guard = true`, the method whose student is kept unless this one's has a smaller
           validation loss
    LABELS optional; "all": labels that data.label_share hides are given back, which makes an upper line
    UNLABELLED optional; option -> its default where recordings without a label teach: what teachers say of them is then
           most of what there is to learn
    TAUGHT optional; False: no term reads the bank. Every other method has a placebo, NAME-placebo
    LEAST  optional; samples that its terms need in a batch: 2 for pairs, 3 for triplets; of fewer they are 0
    RELEASED optional, of a method that stands for a publication; option -> the only values that it may have, its
           default first. Keys of [distill] that are for all methods pass it by, the method's own table refuses others
    VERSIONS optional; version -> options of which the loss is another one since, {} = of any. Students of an earlier
           version are stale

A control is a method but for one thing, and shows what that thing is worth. All above is taken from the method, the
options of its table in study.toml too; the gain of other methods is reported over the best control of a study:

    CONTROL_OF the method
    changed    Lesson -> Lesson; the terms are the method's of the changed lesson, the task is the unchanged lesson's
    FIXED      optional; option -> value, those of the method's options that this control does not leave open

An imputation fits no student, and has no terms:

    IMPUTE "zero" or "mean": what the joint teacher is given for what is privileged

Any other public constant is refused, so that a misspelt one is not overlooked. Terms of weight 0 are only logged. No
gradient reaches a teacher: the bank holds constants.
"""

from mtpkd_cli.methods._lesson import Lesson, TeacherBank
from mtpkd_cli.methods._loading import Method, load_method

__all__ = ["Lesson", "Method", "TeacherBank", "load_method"]
