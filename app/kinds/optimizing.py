"""What is usual for each optimizer, without torch."""

from collections.abc import Mapping

# The learning rates of their authors or of torch: SGD with momentum as in PyTorch's recipes for small
# batches; Adam, Kingma and Ba (ICLR 2015), section 6; AdamW as torch.optim; Muon, Jordan et al. (2024).
USUAL_RATES: Mapping[str, float] = {"sgd": 0.05, "adam": 1e-3, "adamw": 1e-3, "muon": 0.02}
