"""From caches to fitted models: splits, tensors, the one training loop, teachers, alignment, the bank, students."""
