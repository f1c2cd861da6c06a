"""mtpkd: multi-teacher privileged knowledge distillation for emotion and pain recognition."""

__version__ = "0.1.0"
