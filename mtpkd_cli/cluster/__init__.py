"""Batch scripts for Slurm: what is left of a study as arrays that wait for each other, and their submission."""

from mtpkd_cli.cluster.plan import BatchJob, plan_jobs
from mtpkd_cli.cluster.queue import submit_jobs
from mtpkd_cli.cluster.scripts import SlurmRequest, write_scripts

__all__ = ["BatchJob", "SlurmRequest", "plan_jobs", "submit_jobs", "write_scripts"]
