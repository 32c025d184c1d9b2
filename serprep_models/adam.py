"""Adam and, with weight decay, AdamW: torch's fused kernels, with their usual constants.

`torch.optim.Optimizer` imports torch's compiler as soon as one is made: 820 modules, 70 MB and one to two
processor-seconds of every process that trains.  The functions behind it do without.
"""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.adamw import adamw


class Adam:
    """Steps over some parameters, in place.

    Attributes
    ----------
    rate : float
        Learning rate of the next step.
    state : list of dict
        Of each parameter ``step``, ``exp_avg`` and ``exp_avg_sq``, as `torch.optim.Adam` calls them.
    """

    def __init__(self, parameters: Iterable[Tensor], *, rate: float, weight_decay: float = 0.0) -> None:
        self.parameters, self.rate, self.weight_decay = list(parameters), rate, weight_decay
        self.state = [
            {
                "step": torch.zeros((), device=parameter.device),
                "exp_avg": torch.zeros_like(parameter, requires_grad=False),
                "exp_avg_sq": torch.zeros_like(parameter, requires_grad=False),
            }
            for parameter in self.parameters
        ]

    @torch.no_grad()
    def step(self) -> None:
        """Move the parameters that have a gradient against it."""
        both = zip(self.parameters, self.state, strict=True)
        moved = [(parameter, gradient, own) for parameter, own in both if (gradient := parameter.grad) is not None]
        (adamw if self.weight_decay else adam)(
            [parameter for parameter, _, _ in moved],
            [gradient for _, gradient, _ in moved],
            [own["exp_avg"] for _, _, own in moved],
            [own["exp_avg_sq"] for _, _, own in moved],
            [],
            [own["step"] for _, _, own in moved],
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=self.rate,
            weight_decay=self.weight_decay,
            eps=1e-8,
            maximize=False,
        )

    def load(self, state: Mapping[int, Mapping[str, Tensor]]) -> None:
        """Go on from a state, by numbers of parameters.

        Raises
        ------
        ValueError, KeyError
            If it is one of other parameters.
        """
        for number, own in enumerate(self.state):
            for name, value in own.items():
                if state[number][name].shape != value.shape:
                    raise ValueError("moments of another system")
                value.copy_(state[number][name])
