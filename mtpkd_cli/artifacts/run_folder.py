"""RunFolder: the only place that knows a path."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from glob import escape
from hashlib import sha256
from pathlib import Path


def repetition_name(fold: int, seed: int) -> str:
    """How one (fold, seed) is called, on disk and in results."""
    return f"fold-{fold}/seed-{seed}"


def share_name(share: float) -> str:
    """How one share of the labels is called, on disk and in results."""
    return f"share-{share:g}"


def parse_repetition(name: str) -> tuple[int, int]:
    """(fold, seed) of what `repetition_name` gives."""
    fold, seed = (int(part.split("-")[1]) for part in name.split("/"))
    return fold, seed


@dataclass(frozen=True)
class RunFolder:
    """The folder of one study; every artifact has its place in it.

    Args:
        root: The folder itself. It may be moved or shared: nothing below it holds an absolute path.
        branch: Folder below the root for students and evaluation of a variant of the study; all else is of the run.
        repetitions: Folder below that for splits, and for all that is fitted by them; "" = that of the study's folds.
        teaching: Folder below the root for teachers, alignment and bank of a variant; "" = those of the run.
    """

    root: Path
    branch: str = ""
    repetitions: str = ""
    teaching: str = ""

    @property
    def study(self) -> Path:
        """The study that the user writes."""
        return self.root / "study.toml"

    @property
    def samples(self) -> Path:
        """One row per sample."""
        return self.root / "samples.parquet"

    @property
    def frames(self) -> Path:
        """One row per labelled frame, where the corpus labels single frames."""
        return self.root / "frames.parquet"

    @property
    def splits(self) -> Path:
        """Folds by subject."""
        return self.root / self.repetitions / "splits.json"

    def features(self, modality: str) -> Path:
        """Folder of one modality's features."""
        return self.root / "features" / modality

    def repetition(self, fold: int, seed: int) -> Path:
        """Folder of one (fold, seed)."""
        return self.root / self.teaching / self.repetitions / repetition_name(fold, seed)

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
        return self._fitted / repetition_name(fold, seed) / "students" / method

    def students(self, method: str) -> Iterator[tuple[int, int, Path]]:
        """(fold, seed, folder) of every student of a method that is there, finished or not."""
        for folder in sorted(self._fitted.glob(f"fold-*/seed-*/students/{escape(method)}")):
            yield *parse_repetition("/".join(folder.parts[-4:-2])), folder

    @property
    def final(self) -> "RunFolder":
        """The same run, of which the one split that tests nobody is meant, and what is fitted by it for use."""
        return replace(self, repetitions="final")

    @property
    def _fitted(self) -> Path:
        return self.root / self.branch / self.repetitions

    def repeated_files(self, name: str) -> list[Path]:
        """Every file of a name in the folders of repetitions."""
        return sorted(self.root.glob(f"fold-*/seed-*/**/{escape(name)}"))

    def ablation(self, name: str) -> Path:
        """Folder of one ablation: its cells' students, its evaluation and its table."""
        return self.root / "ablation" / name

    @property
    def ablations(self) -> list[str]:
        """Names of the ablations that are there, sorted."""
        return sorted(path.name for path in (self.root / "ablation").glob("*") if path.is_dir())

    @property
    def curve(self) -> Path:
        """Folder of the learning curve over labels: what was asked for, its table, and a folder per share."""
        return self.root / "curve"

    def share(self, share: float) -> "RunFolder":
        """The same run, of which all that is fitted and scored with another share of the labels is meant."""
        place = f"curve/{share_name(share)}"
        return replace(self, branch=place, teaching=place)

    @property
    def evaluation(self) -> Path:
        """Folder of metrics, predictions, figures and the report."""
        return self.root / self.branch / "evaluation"

    @property
    def corruption(self) -> Path:
        """Folder of scores of damaged test samples, beside which an evaluation may be made anew."""
        return self.root / self.branch / "corruption"

    @property
    def classical(self) -> Path:
        """Folder of what models of pooled features reach."""
        return self.root / self.branch / "classical"

    @property
    def transfer(self) -> Path:
        """Folder of what teachers know beyond the student's modalities, before any student is trained."""
        return self.root / "transfer"

    def damaged(self, modality: str) -> Path:
        """Folder of one modality's features of damaged media, one file per kind and level."""
        return self.root / "damaged" / modality

    def lock(self, folder: Path, shard: str = "") -> Path:
        """The lock of what makes one folder, or one share of it."""
        return self.root / "tasks" / f"{self._task(folder)}{'.' if shard else ''}{shard.replace('/', '-of-')}.lock"

    def locks(self, folder: Path) -> list[Path]:
        """Locks that are there: of the folder, and of its shares."""
        name = escape(self._task(folder))
        return sorted(path for end in ("", ".*-of-*") for path in (self.root / "tasks").glob(f"{name}{end}.lock"))

    def last_checkpoint(self, folder: Path) -> Path:
        """Where the making of one folder goes on after an interrupt; gone when that is done."""
        return self.root / "tasks" / f"{self._task(folder)}.last.safetensors"

    def failure(self, folder: Path) -> Path:
        """How the last try to make one folder failed."""
        return self.root / "tasks" / f"{self._task(folder)}.failed.json"

    @property
    def logs(self) -> Path:
        """One JSONL file per process that worked here."""
        return self.root / "logs"

    @property
    def slurm(self) -> Path:
        """Batch scripts, and what they print."""
        return self.root / "slurm"

    def _task(self, folder: Path) -> str:
        """One file name for a folder; file systems take 255 bytes."""
        name = "samples" if folder == self.root else self.relative(folder).replace("/", ".")
        return name if len(name) <= 180 else f"{name[:160]}-{sha256(name.encode()).hexdigest()[:12]}"

    def export(self, method: str, kind: str) -> Path:
        """Folder of a student that was exported as a kind of model."""
        return self.root / "export" / f"{method}-{kind}"

    @property
    def tracking(self) -> Path:
        """Folder of what experiment trackers are given, where they keep it in files."""
        return self.root / "tracking"

    def data_root(self, root: str) -> Path:
        """The corpus folder that the study names; a relative path is taken from the run folder."""
        return Path(root) if Path(root).is_absolute() else self.root / root

    def relative(self, path: Path) -> str:
        """The path as it is named in manifests and messages."""
        return path.relative_to(self.root).as_posix() if path != self.root else "."
