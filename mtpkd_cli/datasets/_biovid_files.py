"""Where the files of BioVid's windows lie: in the corpus as handed out, or re-organised into images.

As handed out: `video/<subject>/<sample>.mp4` and `biosignals_filtered/<subject>/<sample>_bio.csv`. Re-organised, as
MT-PKDOT's authors did: `<class>/<sample>/img_00001.jpg ...`, class 0 for BL1 to 4 for PA4 (75 images are the seconds 2
to 5 at 25 per second), and `physio/<class>/<sample>_bio.csv`.

A window that nobody labelled has no level in its name, `071309_w_21-081`, and in the re-organised corpus the folder
`unlabelled` in place of that of a class.
"""

import re
from dataclasses import dataclass
from pathlib import Path

LEVELS = ("BL1", "PA1", "PA2", "PA3", "PA4")
NAME = re.compile(r"^(\d{6}_[wm]_\d{2})(?:-(BL1|PA[1-4]))?-(\d{3})(?:_bio\.csv|\.mp4)?$")

# Folder of the re-organised corpus -> the level of its windows, None where nobody knows it.
_FOLDERS = {str(number): level for number, level in enumerate(LEVELS)} | {"unlabelled": None}


@dataclass(frozen=True)
class WindowFiles:
    """The files of one kind, and what is wrong with their place.

    Args:
        expected: The pattern that a file follows, relative to the root.
        paths: Sample -> path relative to the root, with forward slashes.
        problems: A missing folder, or files in a folder that is not theirs.
    """

    expected: str
    paths: dict[str, str]
    problems: list[str]


def find_files(root: Path, biosignals: str) -> dict[str, WindowFiles]:
    """Lists the files by kind of medium, "video" and "biosignals".

    Args:
        root: The corpus folder.
        biosignals: Folder of the biosignals in the corpus as handed out.
    """
    if not (root / "video").is_dir() and any((root / folder).is_dir() for folder in _FOLDERS):
        return {
            "video": _by_class(root, "<class>/<sample>", ""),
            "biosignals": _by_class(root, "physio/<class>/<sample>_bio.csv", "_bio.csv"),
        }
    return {
        "video": _by_subject(root, "video", ".mp4"),
        "biosignals": _by_subject(root, biosignals, "_bio.csv"),
    }


def _by_subject(root: Path, folder: str, suffix: str) -> WindowFiles:
    expected = f"{folder}/<subject>/<sample>{suffix}"
    if not (root / folder).is_dir():
        missing = f"{root / folder}: no such folder, expected one folder of {suffix} files per subject"
        return WindowFiles(expected, {}, [missing])
    paths, problems = {}, []
    for subject in (path for path in (root / folder).iterdir() if path.is_dir()):
        for path in subject.iterdir():
            match = NAME.match(path.name)
            if match and path.name.endswith(suffix) and match[1] == subject.name:
                paths[path.name.removesuffix(suffix)] = f"{folder}/{subject.name}/{path.name}"
            elif path.name.endswith(suffix):
                continue
            elif path.name.casefold().endswith(suffix) and NAME.match(path.name[: -len(suffix)]):
                problems.append(f"{path}: the suffix is not {suffix}, capital letters count")
    return WindowFiles(expected, paths, problems)


def _by_class(root: Path, expected: str, suffix: str) -> WindowFiles:
    above, paths, problems = expected.partition("<class>")[0], {}, []
    if not (root / above).is_dir():
        problems.append(f"{root / above}: no such folder, expected one folder of {suffix} files per class")
    for name, level in _FOLDERS.items():
        folder = root / above / name
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            sample = path.name.removesuffix(suffix)
            match = NAME.match(sample)
            if match is None or not path.name.endswith(suffix) or (not suffix and not path.is_dir()):
                continue
            if match[2] == level:
                paths[sample] = f"{above}{name}/{path.name}"
            else:
                whose = f"of class {name}, which is {level}" if level else "of windows without a label"
                problems.append(f"{path}: {match[2] or 'no level in the name, and'} in the folder {whose}")
    return WindowFiles(expected, paths, problems)
