"""RunFolder: the only place that knows a path."""

from dataclasses import dataclass
from pathlib import Path


def repetition_name(fold: int, seed: int) -> str:
    """How one (fold, seed) is called, on disk and in results."""
    return f"fold-{fold}/seed-{seed}"


@dataclass(frozen=True)
class RunFolder:
    """The folder of one study; every artifact has its place in it.

    Args:
        root: The folder itself. It may be moved or shared: nothing below it holds an absolute path.
        branch: Folder below the root for students and evaluation of a variant of the study; all else is the run's own.
    """

    root: Path
    branch: str = ""

    @property
    def study(self) -> Path:
        """The study that the user writes."""
        return self.root / "study.toml"

    @property
    def samples(self) -> Path:
        """One row per sample."""
        return self.root / "samples.parquet"

    @property
    def splits(self) -> Path:
        """Folds by subject."""
        return self.root / "splits.json"

    def features(self, modality: str) -> Path:
        """Folder of one modality's features."""
        return self.root / "features" / modality

    def repetition(self, fold: int, seed: int) -> Path:
        """Folder of one (fold, seed)."""
        return self.root / repetition_name(fold, seed)

    def teacher(self, fold: int, seed: int, name: str) -> Path:
        """Folder of one trained teacher."""
        return self.repetition(fold, seed) / "teachers" / name

    def align(self, fold: int, seed: int) -> Path:
        """Folder of adapters, heads, T-Net and the tuned joint teacher."""
        return self.repetition(fold, seed) / "align"

    def bank(self, fold: int, seed: int) -> Path:
        """Folder of the teacher bank, one Parquet file per teacher."""
        return self.repetition(fold, seed) / "bank"

    def student(self, fold: int, seed: int, method: str) -> Path:
        """Folder of one trained student."""
        return self.root / self.branch / repetition_name(fold, seed) / "students" / method

    def ablation(self, name: str) -> Path:
        """Folder of one ablation: its cells' students, its evaluation and its table."""
        return self.root / "ablation" / name

    @property
    def evaluation(self) -> Path:
        """Folder of metrics, predictions, figures and the report."""
        return self.root / self.branch / "evaluation"

    def data_root(self, root: str) -> Path:
        """The corpus folder that the study names; a relative path is taken from the run folder."""
        return Path(root) if Path(root).is_absolute() else self.root / root

    def relative(self, path: Path) -> str:
        """The path as it is named in manifests and messages."""
        return path.relative_to(self.root).as_posix() if path != self.root else "."
