"""The sections of study.toml, one per stage: a stage is given that section and no other."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from mtpkd_cli.config.options import Count, Name, Options, Positive, Share, Weight
from mtpkd_cli.config.recordings import DataSection, ExtractSection, ModalitySection

CONTROLS = ["placebo", "self", "label-structure", "random-teacher"]
"""What a gain must exceed to be privileged knowledge; part of every study unless it names its methods itself."""


class StudySection(Options):
    """What is studied."""

    name: Name
    task: Literal["classification", "regression"] = "classification"
    ordinal: bool = Field(False, description="the classes have an order, lowest first, such as levels of pain")
    seeds: list[Annotated[int, Field(ge=0)]] = Field([0], min_length=1, description="one repetition per seed")


class ModelSection(Options):
    """Sizes shared by teachers and students, so that their embeddings can be compared."""

    embedding: Annotated[int, Field(ge=2)] = 64
    heads: Count = 2
    dropout: Share = 0.2
    stochastic_depth: Share = Field(
        0.5, description="how often in training a fusion of several modalities is linear in their statistics alone"
    )
    normalise: Literal["training", "subject"] = Field(
        "training",
        description="standardise features by the training subjects, or each person's by all recordings of that person, "
        "at test too, labels unseen",
    )
    classifier: Literal["softmax", "ordinal"] | None = Field(None, description="default: as study.ordinal says")

    @model_validator(mode="after")
    def _heads_divide_embedding(self) -> "ModelSection":
        if self.embedding % self.heads:
            raise ValueError(f"embedding = {self.embedding} is not a multiple of heads = {self.heads}")
        return self

    @property
    def sizes(self) -> dict[str, Any]:
        """Keyword arguments that teachers and students have in common."""
        common = {"embedding": self.embedding, "heads": self.heads, "dropout": self.dropout}
        return common | {"stochastic_depth": self.stochastic_depth, "head": self.classifier or "softmax"}


class FitOptions(Options):
    """How one model is fitted: AdamW, warm-up and cosine decay, early stopping on the validation subjects."""

    epochs: Count = 40
    batch_size: Annotated[int, Field(ge=2)] = 32
    learning_rate: Positive = 1e-3
    weight_decay: Weight = 0.01
    warmup_share: Share = Field(0.1, description="share of all steps")
    patience: Count | None = Field(
        None,
        description="epochs without a better validation loss before stopping; default: as many as make 100 steps, at "
        "least 3 and at most 10",
    )
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.99, description="of the weights' exponential mean over steps, which is then validated and kept; 0 = none"
    )


class TrainSection(FitOptions):
    """Fitting the teachers."""

    crossfit_folds: Annotated[int, Field(ge=2)] = Field(
        3, description="inner folds by subject, for what a teacher says about recordings it has not learned from"
    )


class TeacherSection(Options):
    """One teacher: the modalities it sees, fused by gated cross-modal attention."""

    modalities: list[str] = Field(min_length=1)


class AlignSection(FitOptions):
    """Self-distillation of the teachers into one space, and the T-Net."""

    joint: str = Field("joint", description="the teacher whose embedding space is the common one")
    loss: Literal["cosine", "mse", "mmd", "kl", "none"] = "cosine"
    align_weight: Share = Field(0.5, description="of the alignment; the rest goes to the task losses")
    adapter: Literal["mlp", "linear"] = "mlp"
    joint_learning_rate: Weight = Field(1e-5, description="of the joint teacher's fusion and head; 0 = frozen")
    tnet_loss: Literal["cosine", "mse", "mmd"] = "mse"
    calibrate: bool = Field(
        True, description="scale each teacher's cross-fitted logits by a temperature fitted on held-out recordings"
    )


class StudentSection(Options):
    """The student."""

    kind: Literal["fusion", "mlp", "linear"] = Field(
        "fusion", description="as in MT-PKDOT, or for small studies a two-layer or linear one over pooled features"
    )
    init: Literal["teacher", "scratch"] = Field(
        "teacher", description="start from the prevalent teacher's weights (the fusion student only)"
    )
    balanced: bool = Field(
        True,
        description="shift logits so that no class is said oftener than others, as balanced accuracy asks for (classes "
        "in an order are not); false = probabilities follow how frequent the classes are",
    )


class UnlabelledOptions(Options):
    """How recordings without a label teach, whatever the method."""

    unlabelled_share: Share | None = Field(
        None, description="share of recordings without a label in each batch; default: as there are, each once an epoch"
    )
    sharpening: Positive = Field(
        1.0, description="power of the teachers' class probabilities for recordings without a label; 1 = as they are"
    )
    confidence: Share = Field(
        0.0, description="probability of its first class below which a teacher is not heard there"
    )
    feature_masking: Share = Field(0.0, description="share of features hidden from the student in training")
    time_masking: Share = Field(0.0, description="share of time steps hidden from the student in training")
    rounds: Count = Field(
        1, description="fits in a row, from the second on with what the last student says there mixed in"
    )


AS_IT_IS = UnlabelledOptions()
"""Every recording once an epoch, and the teachers' word as it is."""


class DistillSection(FitOptions, UnlabelledOptions):
    """Distillation. Keys that are left out take the default of each method (`mtpkd methods` lists them)."""

    methods: list[str] = Field(["student-only", "kd", "pkdot", "mt-pkdot", *CONTROLS], min_length=1)
    selection: Literal["skill", "batch", "sample", "soft", "mean"] | None = Field(
        None, description="which teacher speaks: by its skill on other recordings, or by its loss on the labels"
    )
    outputs: Literal["crossfit", "train"] | None = Field(None, description="whose word on a training sample counts")
    anchors: Literal["shared", "least", "most", "random"] | None = None
    anchors_k: Count | None = None
    structure: Literal["rows", "clouds", "fgw"] | None = Field(
        None, description="identity-keeping, as released, or fused Gromov-Wasserstein"
    )
    epsilon: Positive | None = Field(None, description="entropic regularisation")
    task_weight: Weight | None = None
    transport_weight: Weight | None = None
    centroid_weight: Weight | None = None
    guard: bool = Field(
        True, description="keep the student that knows no teacher where validation subjects clearly prefer it"
    )
    candidates: Count = Field(
        1, description="settings tried for every method, the first being the study's; validation subjects choose"
    )
    method: dict[str, dict[str, Any]] = Field({}, description="options of one method only")


class EvaluateSection(Options):
    """Evaluation."""

    reference: str = Field("student-only", description="the method that differences are taken from")
    metrics: list[str] = Field([], description="empty = the usual ones of the task")
    resamples: Annotated[int, Field(ge=100)] = Field(2000, description="bootstrap resamples of the subjects")
    permutations: Annotated[int, Field(ge=99)] = Field(
        2000, description="exchanges of the paired permutation test over subjects; all there are, if no more than these"
    )
    bootstrap_seed: Annotated[int, Field(ge=0)] = Field(0, description="of resamples and permutations")


class Study(Options):
    """A whole study.toml."""

    study: StudySection
    data: DataSection
    modalities: dict[Name, ModalitySection] = Field(min_length=1)
    extract: ExtractSection = ExtractSection()
    model: ModelSection = ModelSection()
    teachers: dict[Name, TeacherSection] = Field({}, description="empty = one per modality, and the joint one")
    train: TrainSection = TrainSection()
    align: AlignSection = AlignSection()
    student: StudentSection = StudentSection()
    distill: DistillSection = DistillSection()
    evaluate: EvaluateSection = EvaluateSection()

    @property
    def network(self) -> ModelSection:
        """The model section with the classifier that it has in this study."""
        usual = "ordinal" if self.study.ordinal else "softmax"
        return self.model.model_copy(update={"classifier": self.model.classifier or usual})

    @property
    def balanced(self) -> bool:
        """Whether classes count alike, however frequent they are; classes in an order keep their thresholds."""
        classes = self.study.task == "classification" and self.network.classifier == "softmax"
        return self.student.balanced and classes

    @property
    def prevalent(self) -> list[str]:
        """Names of the modalities that the student sees, in the order of the file."""
        return [name for name, modality in self.modalities.items() if modality.role == "prevalent"]

    @property
    def privileged(self) -> list[str]:
        """Names of the modalities that only teachers see, in the order of the file."""
        return [name for name, modality in self.modalities.items() if modality.role == "privileged"]

    @property
    def teacher_modalities(self) -> dict[str, list[str]]:
        """Teacher -> its modalities. A teacher of all prevalent modalities and the joint one are always there."""
        if self.teachers:
            return {name: teacher.modalities for name, teacher in self.teachers.items()}
        teachers = {name: [name] for name in self.modalities}
        if len(self.prevalent) > 1:
            teachers["+".join(self.prevalent)] = self.prevalent
        return teachers | {self.align.joint: list(self.modalities)}

    @property
    def prevalent_teacher(self) -> str:
        """The teacher that sees what the student sees, and nothing else."""
        return next(n for n, seen in self.teacher_modalities.items() if sorted(seen) == sorted(self.prevalent))

    def unimodal_teacher(self, modality: str) -> str:
        """The teacher that sees one modality alone."""
        return next(name for name, seen in self.teacher_modalities.items() if seen == [modality])

    def sees(self, teacher: str) -> str:
        """The role of a teacher's modalities: "prevalent", "privileged" or "both"."""
        roles = {self.modalities[modality].role for modality in self.teacher_modalities[teacher]}
        return "both" if len(roles) > 1 else roles.pop()
