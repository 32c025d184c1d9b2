"""The ComParE 2016 feature set, natively: 65 contours, their deltas, 6373 functionals.

A signal's way: `framing` → `spectrum` (`fourier`) → `auditory`, `cepstrum`, `spectral`; `pitch` →
`voice`; all of them → `contours` (smoothing, deltas) → `blocks` (`statistics`, `peaks`) → values
in the order of `names`.  ``docs/compare_2016.md`` says what it was made from and how close it is.
"""

from serprep.features.compare_2016.blocks import functionals_of
from serprep.features.compare_2016.contours import Contours, contours_of
from serprep.features.compare_2016.names import contour_names, functional_names

__all__ = ["Contours", "contour_names", "contours_of", "functional_names", "functionals_of"]
