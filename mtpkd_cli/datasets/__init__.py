"""Datasets: one file per corpus, a folder on disk -> the samples table.

A dataset file has

    Config    its options, a `mtpkd_cli.config.Options`
    samples   (root: Path, Config) -> pandas.DataFrame, one row per sample, sorted by sample_id, with columns
              sample_id  str, unique
              subject    str, who it is: splits keep a subject on one side
              recording  str, the continuous recording that the sample was cut from
              start_s    float, start within the media file; NaN = the whole file
              end_s      float, end within the media file; NaN = the whole file
              label      int class index (classification), or one float column `target_<name>` per target (regression)
              media_<kind>  str, path relative to root with forward slashes, "" where this sample has none
    classes   (root: Path, Config) -> tuple[str, ...], class names in index order; () in regression

A dataset only reads tables and lists folders; it opens no media file.
"""

SAMPLE_COLUMNS = ("sample_id", "subject", "recording", "start_s", "end_s")
MEDIA_PREFIX = "media_"
TARGET_PREFIX = "target_"
